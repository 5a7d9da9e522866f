# fish completion for denmap. SPDX-License-Identifier: MIT

function __denmap_complete
	set -l words (commandline --current-process --tokenize --cut-at-cursor)
	set -l current (commandline --current-token --cut-at-cursor)
	$words[1] __complete -- $words[2..] "$current" 2>/dev/null
end
complete --command denmap --arguments '(__denmap_complete)'
