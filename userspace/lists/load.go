// SPDX-License-Identifier: MIT

package lists

import (
	"errors"
	"io/fs"

	"denmap/userspace/store/safefile"
)

// Load reads the list file at path, leaving out the comments, for
// enforcement. A missing file is an empty list. Errors: a *RefusedError
// when lines are bad; safefile.ErrNotRegular and safefile.ErrTooLarge,
// wrapped, for what is no list file; or those of package os. There is no
// list with an error: the caller keeps the last good one.
//
// Programs that write a file in place, instead of replacing it, can be met
// halfway. Watch waits for a file to come to rest for that reason.
func Load(path string, kind Kind) (*List, error) { return load(path, kind, false) }

// LoadWithComments is Load for people: it fills in Entry.Comment.
func LoadWithComments(path string, kind Kind) (*List, error) { return load(path, kind, true) }

func load(path string, kind Kind, comments bool) (*List, error) {
	data, err := safefile.Read(path, maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return &List{Path: path, Kind: kind, Missing: true}, nil
	}
	if err != nil {
		return nil, err
	}
	return parse(path, kind, data, comments)
}
