// SPDX-License-Identifier: MIT

package ipstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/event"
)

// maxBody bounds what is read of a response; real ones are some 2 KB.
const maxBody = 64 << 10

// reply is the part of the API's JSON that DenMap uses. Fields of modules
// that the plan lacks are absent, unknown ones null; a failure has the
// HTTP status 200 and "success": false.
type reply struct {
	CountryCode string   `json:"country_code"`
	CountryName string   `json:"country_name"`
	City        string   `json:"city"`
	Latitude    *float64 `json:"latitude"`
	Longitude   *float64 `json:"longitude"`
	Connection  struct {
		ASN any    `json:"asn"` // a number; text with some plans
		ISP string `json:"isp"`
	} `json:"connection"`

	Success *bool `json:"success"`
	Error   *struct {
		Code any    `json:"code"`
		Type string `json:"type"`
	} `json:"error"`
}

// request asks about one address. Errors are *Error where the service
// answered, and never contain the URL or the key.
func (s *Source) request(ctx context.Context, addr netip.Addr) (event.Place, error) {
	target := s.base
	target.Path = strings.TrimSuffix(target.Path, "/") + "/" + addr.WithZone("").String()
	target.RawQuery = url.Values{"access_key": {s.key}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return event.Place{}, s.hide("ask ipstack", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return event.Place{}, s.hide("ask ipstack", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return event.Place{}, s.hide("read ipstack's answer", err)
	}
	var r reply
	jsonErr := json.Unmarshal(body, &r)
	if err := failure(resp, r, jsonErr); err != nil {
		return event.Place{}, err
	}
	return r.place(), nil
}

// hide drops the URL from an error, and the key should it still be there.
// The result wraps nothing, since whatever it wrapped could be printed.
func (s *Source) hide(what string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no answer in time"
	}
	return fmt.Errorf("%s: %s", what, strings.ReplaceAll(text, s.key, "(key)"))
}

func failure(resp *http.Response, r reply, jsonErr error) error {
	e := &Error{Status: resp.StatusCode, retryAfter: retryAfter(resp.Header)}
	if r.Error != nil || (r.Success != nil && !*r.Success) {
		if r.Error != nil {
			e.Code = word(fmt.Sprint(r.Error.Code))
			e.Type = word(r.Error.Type)
		}
		e.about = about(e.Code, e.Type, e.Status)
		return e
	}
	if resp.StatusCode != http.StatusOK {
		e.about = about("", "", e.Status)
		return e
	}
	if jsonErr != nil {
		return errors.New("read ipstack's answer: not the JSON that its documentation shows")
	}
	return nil
}

// retryAfter returns the seconds of a Retry-After header, zero without.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 7*24*3600)) * time.Second
}

func (r reply) place() event.Place {
	p := event.Place{CountryISO: r.CountryCode, Country: r.CountryName, City: r.City}
	if r.Latitude != nil && r.Longitude != nil {
		p.Latitude, p.Longitude, p.HasCoordinates = *r.Latitude, *r.Longitude, true
	}
	number := strings.TrimPrefix(strings.ToUpper(jsonText(r.Connection.ASN)), "AS")
	if n, err := strconv.ParseUint(number, 10, 32); err == nil && n > 0 {
		p.ASNumber, p.ASName = uint32(n), r.Connection.ISP
	}
	return p
}

// jsonText returns a decoded JSON string, or number without exponent.
func jsonText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
