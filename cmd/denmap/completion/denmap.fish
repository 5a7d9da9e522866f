# fish completion for denmap. SPDX-License-Identifier: MIT

function __denmap_complete
	set -l words (commandline --current-process --tokenize --cut-at-cursor)
	set -l current (commandline --current-token --cut-at-cursor)
	set -l found ($words[1] __complete -- $words[2..] "$current" 2>/dev/null)
	if set -q found[1]
		printf '%s\n' $found
	else
		__fish_complete_path "$current"
	end
end
complete --command denmap --no-files --arguments '(__denmap_complete)'
