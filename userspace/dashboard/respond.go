// SPDX-License-Identifier: MIT

package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Bounds of a request's body, in bytes.
const (
	smallBody  = 64 << 10
	importBody = 32 << 20
)

// apiError is an error that the page shows.
type apiError struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	Field   string `json:"field,omitempty"` // what of the request is wrong
	Hint    string `json:"hint,omitempty"`
	Force   bool   `json:"force,omitempty"` // "force": true does it all the same
	Details any    `json:"details,omitempty"`
}

func (e *apiError) Error() string { return e.Message }

// badValue is about one field of the request.
func badValue(field string, err error) error {
	return &apiError{Status: http.StatusUnprocessableEntity, Message: err.Error(), Field: field}
}

// action is what an API route does: it returns what is sent as JSON, or
// nil if it has answered itself.
type action func(http.ResponseWriter, *http.Request) (any, error)

// endpoint makes a handler of an action, with a bound on the body.
func endpoint(do action, body int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, body)
		answer, err := do(w, r)
		switch {
		case err != nil:
			writeError(w, err)
		case answer != nil:
			writeJSON(w, http.StatusOK, answer)
		}
	}
}

func writeError(w http.ResponseWriter, err error) {
	var known *apiError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
	case errors.As(err, &large):
		known = &apiError{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("expected at most %d bytes", large.Limit)}
	default:
		known = &apiError{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	writeJSON(w, known.Status, known)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"write the answer"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = w.Write(append(data, '\n'))
}

// readBody decodes the JSON object of a request. Unknown fields are
// refused, so that a slip does not go unnoticed.
func readBody(r *http.Request, value any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &apiError{Status: http.StatusUnsupportedMediaType, Message: "expected Content-Type: application/json"}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return &apiError{Status: http.StatusBadRequest, Message: "read request: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	if _, err := d.Token(); err != io.EOF {
		return &apiError{Status: http.StatusBadRequest, Message: "read request: expected one JSON object"}
	}
	return nil
}
