# bash completion for denmap. SPDX-License-Identifier: MIT

_denmap() {
	local IFS=$'\n'
	# The words up to the cursor; bash splits options at "=", which is left as it is.
	COMPREPLY=($("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	if ((${#COMPREPLY[@]} == 0)); then
		compopt -o default
	fi
}
complete -F _denmap denmap
