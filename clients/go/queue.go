package cartwheel

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	mostBatch   = 500
	longestWait = 30 * time.Second
)

// queue holds events that wait to be sent. Each has an id before its first attempt and keeps it.
type queue struct {
	transport *transport
	maxQueue  int
	batchSize int
	interval  time.Duration
	onLost    func(Event, string)

	lock   sync.Mutex
	events []Event
	// One sender at a time.
	sending sync.Mutex
	wake    chan struct{}
	begin   sync.Once
	end     sync.Once
	ended   chan struct{}
}

func newQueue(transport *transport, settings Settings) *queue {
	q := &queue{
		transport: transport,
		maxQueue:  settings.MaxQueue,
		batchSize: min(settings.BatchSize, mostBatch),
		interval:  settings.Interval,
		onLost:    settings.OnLost,
		wake:      make(chan struct{}, 1),
		ended:     make(chan struct{}),
	}
	if q.maxQueue <= 0 {
		q.maxQueue = 10_000
	}
	if q.batchSize <= 0 {
		q.batchSize = 100
	}
	if q.interval <= 0 {
		q.interval = time.Second
	}
	if q.onLost == nil {
		q.onLost = func(Event, string) {}
	}
	return q
}

func withID(event Event) Event {
	if event.EventID == "" {
		var random [16]byte
		// It never fails, by its documentation.
		_, _ = rand.Read(random[:])
		event.EventID = hex.EncodeToString(random[:])
	}
	return event
}

func (q *queue) size() int {
	q.lock.Lock()
	defer q.lock.Unlock()
	return len(q.events)
}

func (q *queue) put(event Event) bool {
	q.lock.Lock()
	waiting := len(q.events)
	isFull := waiting >= q.maxQueue
	if !isFull {
		q.events = append(q.events, withID(event))
	}
	q.lock.Unlock()
	if isFull {
		q.onLost(event, "the queue is full")
		return false
	}
	q.begin.Do(func() { go q.run() })
	if waiting+1 >= q.batchSize {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

func (q *queue) run() {
	pause := q.interval
	for {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-q.wake:
		case <-q.ended:
			timer.Stop()
			return
		}
		timer.Stop()
		if q.flush(context.Background()) == nil {
			pause = q.interval
		} else {
			pause = min(2*max(pause, time.Second/2), longestWait)
		}
	}
}

func (q *queue) flush(ctx context.Context) error {
	q.sending.Lock()
	defer q.sending.Unlock()
	for {
		q.lock.Lock()
		batch := append([]Event(nil), q.events[:min(q.batchSize, len(q.events))]...)
		q.lock.Unlock()
		if len(batch) == 0 {
			return nil
		}
		again, err := q.send(ctx, batch)
		if err != nil {
			return err
		}
		q.lock.Lock()
		q.events = append(again, q.events[len(batch):]...)
		q.lock.Unlock()
		if len(again) > 0 {
			return fmt.Errorf("cartwheel: %d events could not be stored yet", len(again))
		}
	}
}

// send sends events and returns those that have to be sent again.
func (q *queue) send(ctx context.Context, batch []Event) ([]Event, error) {
	answer := BatchAnswer{}
	err := q.transport.do(ctx, http.MethodPost, "/v1/events", nil, batch, &answer)
	if err != nil {
		var failed *Error
		isKnown := errors.As(err, &failed)
		// A wrong key is no reason to lose events.
		if !isKnown || failed.IsPassing() || failed.Status == 401 || failed.Status == 403 {
			return nil, err
		}
		for _, event := range batch {
			q.onLost(event, err.Error())
		}
		return nil, nil
	}
	var again []Event
	for at, event := range batch {
		if at >= len(answer.Records) || answer.Records[at].Error == nil {
			continue
		}
		problem := answer.Records[at].Error
		failed := Error{Status: int(problem.Status), Problem: problem}
		if failed.IsPassing() {
			again = append(again, event)
		} else {
			q.onLost(event, failed.Error())
		}
	}
	return again, nil
}

func (q *queue) close(ctx context.Context) error {
	q.end.Do(func() { close(q.ended) })
	return q.flush(ctx)
}
