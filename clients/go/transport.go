package cartwheel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	mostWait  = 10 * time.Second
	// Largest answer that is read, in bytes.
	mostAnswer = 64 << 20
)

// Requests that change nothing, or whose events have ids: a second one does no harm.
var repeatable = regexp.MustCompile(
	`^/(submit|v1/(events|page|rank|recommendations|placements/[^/]+))$`)

// Error is a request that the server refused, or that has no answer.
type Error struct {
	// Status is that of the answer, 0 without one.
	Status int
	// Problem says what is wrong, and with which field.
	Problem *Problem
	cause   error
	// What Retry-After says; negative without it.
	retryAfter time.Duration
}

func (e *Error) Error() string {
	switch {
	case e.Problem != nil && e.Problem.Detail != "":
		return fmt.Sprintf("cartwheel: %d: %s", e.Status, e.Problem.Detail)
	case e.cause != nil:
		return fmt.Sprintf("cartwheel: no answer: %v", e.cause)
	default:
		return fmt.Sprintf("cartwheel: %d", e.Status)
	}
}

func (e *Error) Unwrap() error { return e.cause }

// IsPassing tells whether the same request may succeed later, so that a program can show something
// else meanwhile.
func (e *Error) IsPassing() bool {
	switch e.Status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	default:
		return e.Status >= 500
	}
}

type transport struct {
	base    string
	key     string
	fetch   func(context.Context) (string, error)
	timeout time.Duration
	retries int
	http    *http.Client

	lock  sync.Mutex
	token string
}

func newTransport(base string, settings Settings) *transport {
	t := &transport{
		base:    strings.TrimRight(base, "/"),
		key:     settings.Key,
		fetch:   settings.Token,
		timeout: settings.Timeout,
		retries: settings.Retries,
		http:    settings.HTTP,
	}
	if t.timeout <= 0 {
		t.timeout = 2 * time.Second
	}
	if t.retries == 0 {
		t.retries = 2
	}
	if t.http == nil {
		t.http = http.DefaultClient
	}
	return t
}

func (t *transport) do(
	ctx context.Context, method, path string, query url.Values, body, answer any,
) error {
	address := t.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return fmt.Errorf("cartwheel: the body is not JSON: %w", err)
		}
	}
	isRepeatable := method == http.MethodGet || method == http.MethodPut || repeatable.MatchString(path)
	renewed := false
	for attempt := 0; ; {
		err := t.send(ctx, method, address, data, answer)
		var failed *Error
		if err == nil || !errors.As(err, &failed) || ctx.Err() != nil {
			return err
		}
		if failed.Status == http.StatusUnauthorized && t.fetch != nil && !renewed {
			renewed = true
			t.forget()
			continue
		}
		// A request that was refused for its rate was not carried out.
		mayRepeat := isRepeatable || failed.Status == http.StatusTooManyRequests
		if !mayRepeat || !failed.IsPassing() || attempt >= t.retries {
			return err
		}
		if err := wait(ctx, attempt, failed.retryAfter); err != nil {
			return err
		}
		attempt++
	}
}

func (t *transport) send(
	ctx context.Context, method, address string, data []byte, answer any,
) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("cartwheel: %w", err)
	}
	if data != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if err := t.authorize(ctx, request); err != nil {
		return fmt.Errorf("cartwheel: no shopper token: %w", err)
	}
	response, err := t.http.Do(request)
	if err != nil {
		return &Error{cause: err, retryAfter: -1}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return &Error{cause: err, retryAfter: -1}
	}
	if response.StatusCode >= 300 {
		return refused(response, content)
	}
	if answer == nil || len(content) == 0 {
		return nil
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return fmt.Errorf("cartwheel: the answer is not as documented: %w", err)
	}
	return nil
}

func refused(response *http.Response, content []byte) error {
	failed := &Error{Status: response.StatusCode, retryAfter: -1}
	problem := &Problem{}
	// A proxy may have answered.
	if json.Unmarshal(content, problem) == nil {
		failed.Problem = problem
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		failed.retryAfter = time.Duration(seconds) * time.Second
	}
	return failed
}

func (t *transport) authorize(ctx context.Context, request *http.Request) error {
	if t.fetch == nil {
		if t.key != "" {
			request.Header.Set("X-Api-Key", t.key)
		}
		return nil
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.token == "" {
		token, err := t.fetch(ctx)
		if err != nil {
			return err
		}
		t.token = token
	}
	request.Header.Set("Authorization", "Bearer "+t.token)
	return nil
}

func (t *transport) forget() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.token = ""
}

// wait waits before the next attempt: as long as the server asks, or longer with every attempt.
func wait(ctx context.Context, attempt int, retryAfter time.Duration) error {
	pause := retryAfter
	if pause < 0 {
		pause = time.Duration(float64(firstWait<<attempt) * (0.5 + rand.Float64()/2))
	}
	timer := time.NewTimer(min(pause, mostWait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
