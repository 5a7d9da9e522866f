#compdef denmap
# zsh completion for denmap. SPDX-License-Identifier: MIT

_denmap() {
	local -a found
	found=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "${found[1]}" ]]; then
		compadd -a found
	else
		_files
	fi
}
# Sourced, the file defines the completion; autoloaded, it is the completion.
if [[ "${funcstack[1]}" = _denmap ]]; then
	_denmap "$@"
else
	compdef _denmap denmap
fi
