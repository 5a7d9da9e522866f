// SPDX-License-Identifier: MIT

package loader

import "encoding/binary"

// hashWords is hash_words of bpf/address.h; h is its seed and salt, mixed by
// exclusive or.
func hashWords(w [4]uint32, h uint64) uint64 {
	h = (h ^ (uint64(w[0])<<32 | uint64(w[1]))) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	h = (h ^ (uint64(w[2])<<32 | uint64(w[3]))) * 0xd6e8feb86659fd93
	h ^= h >> 29
	return h * 0x9e3779b97f4a7c15
}

func wordToHost(v uint32) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], v)
	return binary.BigEndian.Uint32(b[:])
}
