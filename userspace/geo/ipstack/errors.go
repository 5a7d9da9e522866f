// SPDX-License-Identifier: MIT

package ipstack

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is a refusal by the service. Of its texts only plain words are
// kept, so that nothing hostile, and no key, gets into a log.
type Error struct {
	Status int    // HTTP status
	Code   string // such as "104"; empty if the body had none
	Type   string // such as "usage_limit_reached"

	about      subject
	retryAfter time.Duration
}

// Error names the refusal in the service's own words.
func (e *Error) Error() string {
	said := fmt.Sprintf("HTTP status %d", e.Status)
	switch {
	case e.Type != "" && e.Code != "":
		said = fmt.Sprintf("%s (%s)", e.Type, e.Code)
	case e.Type != "" || e.Code != "":
		said = e.Type + e.Code
	}
	return fmt.Sprintf("ask ipstack: %s: %s", e.about, said)
}

// subject is what a refusal is about; it decides what happens next.
type subject uint8

const (
	theService subject = iota // trouble at their end or on the way
	theRate                   // too many requests at once
	theQuota                  // no requests left this month
	theKey                    // key or plan
	theAddress                // only this question
)

func (s subject) String() string {
	return [...]string{
		"no answer", "too many requests", "quota used up", "key refused", "address refused",
	}[s]
}

// about sorts the documented errors. One code serves several types (101:
// missing_access_key and invalid_access_key), and some of the provider's
// gateways put the type into the code, so both are looked at.
func about(code, kind string, status int) subject {
	switch cmp.Or(kind, code) {
	case "usage_limit_reached", "monthly_limit_reached":
		return theQuota
	case "rate_limit_reached", "too_many_requests":
		return theRate
	case "missing_access_key", "invalid_access_key", "inactive_user",
		"function_access_restricted", "https_access_restricted":
		return theKey
	case "invalid_ip_address", "404_not_found":
		return theAddress
	}
	switch code {
	case "104":
		return theQuota
	case "101", "102", "103", "105":
		return theKey
	case "106", "404":
		return theAddress
	}
	switch status {
	case http.StatusTooManyRequests:
		return theRate
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
		return theKey
	}
	return theService
}

// word returns s if it is a short lower-case identifier or number.
func word(s string) string {
	if len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return ""
	}
	return s
}
