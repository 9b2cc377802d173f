package cartwheel

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Settings say how a client reaches the server and collects events. Zero values mean the defaults.
type Settings struct {
	// Key is a secret key.
	Key string
	// Token returns a shopper token. It is asked again after a token was refused.
	Token func(context.Context) (string, error)
	// Timeout ends an attempt: 2 seconds by default.
	Timeout time.Duration
	// Retries are further attempts after one that failed: 2 by default, none if negative.
	Retries int
	// MaxQueue bounds the events that wait: 10,000 by default.
	MaxQueue int
	// BatchSize bounds the events of a request: 100 by default, at most 500.
	BatchSize int
	// Interval is how long events are collected: a second by default.
	Interval time.Duration
	// OnLost hears of each event that is lost, and why.
	OnLost func(Event, string)
	// HTTP sends the requests: http.DefaultClient by default.
	HTTP *http.Client
}

// Client is a client of one server. Goroutines may share it; most programs need one.
type Client struct {
	transport *transport
	queue     *queue
}

// New returns a client of the server at base, such as https://recommendations.example. Close it, so
// that no event is lost.
func New(base string, settings Settings) *Client {
	transport := newTransport(base, settings)
	return &Client{transport: transport, queue: newQueue(transport, settings)}
}

// Do asks any route of the API, such as GET /v1/products/12/similar, and reads its answer. Body and
// answer may be nil. Parts of the path are escaped with url.PathEscape.
func (c *Client) Do(
	ctx context.Context, method, path string, query url.Values, body, answer any,
) error {
	return c.transport.do(ctx, method, path, query, body, answer)
}

// Track sends an event in the background, together with others. It returns false if the event is lost
// because too many wait.
func (c *Client) Track(event Event) bool { return c.queue.put(event) }

// Submit stores an event and recommends: the answer already reflects it.
func (c *Client) Submit(ctx context.Context, event Event) (*Submitted, error) {
	answer := &Submitted{}
	return answer, c.Do(ctx, http.MethodPost, "/submit", nil, withID(event), answer)
}

// Recommend recommends products to a shopper.
func (c *Client) Recommend(ctx context.Context, ask RecommendationRequest) (*Recommendations, error) {
	answer := &Recommendations{}
	return answer, c.Do(ctx, http.MethodPost, "/v1/recommendations", nil, ask, answer)
}

// Placement fills a placement for a shopper.
func (c *Client) Placement(
	ctx context.Context, name string, ask PlacementRequest,
) (*PlacementAnswer, error) {
	answer := &PlacementAnswer{}
	path := "/v1/placements/" + url.PathEscape(name)
	return answer, c.Do(ctx, http.MethodPost, path, nil, ask, answer)
}

// Page fills the placements of a page, without a product in two of them.
func (c *Client) Page(ctx context.Context, ask PageRequest) (*PageAnswer, error) {
	answer := &PageAnswer{}
	return answer, c.Do(ctx, http.MethodPost, "/v1/page", nil, ask, answer)
}

// Waiting is the number of events that wait.
func (c *Client) Waiting() int { return c.queue.size() }

// Flush sends every event that waits. If the server cannot take them now, they wait on.
func (c *Client) Flush(ctx context.Context) error { return c.queue.flush(ctx) }

// Close sends every event that waits and ends the client.
func (c *Client) Close(ctx context.Context) error { return c.queue.close(ctx) }
