// SPDX-License-Identifier: MIT

package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// AsideMark stands between the path of a damaged file and the time it was set
// aside.
const AsideMark = ".corrupt-"

// AsideName returns a name that nothing has yet, to set a damaged file aside:
// its path, AsideMark and the time in seconds, with a number if need be. An
// error wraps fs.ErrExist when there are a thousand of one second.
func AsideName(path string, now time.Time) (string, error) {
	name := path + AsideMark + now.UTC().Format("20060102T150405Z")
	for n := 1; n < 1000; n++ {
		candidate := name
		if n > 1 {
			candidate = fmt.Sprintf("%s-%d", name, n)
		}
		_, err := os.Lstat(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			return candidate, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("find a free name for %q: %w", name, fs.ErrExist)
}
