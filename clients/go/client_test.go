package cartwheel

// Tests the client against the server that scripts/test-clients starts.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Long enough for a machine that is busy.
const patient = 30 * time.Second

var users int

// newUser names a shopper of whom the server knows nothing.
func newUser() string {
	users++
	return fmt.Sprintf("go-%d-%d", os.Getpid(), users)
}

func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run scripts/test-clients", name)
	}
	return value
}

func open(t *testing.T, base string, settings Settings) *Client {
	t.Helper()
	if settings.Token == nil {
		settings.Key = setting(t, "CARTWHEEL_API_KEY")
	}
	if settings.Timeout == 0 {
		settings.Timeout = patient
	}
	return New(base, settings)
}

func add(user string, products ...string) Event {
	return Event{Event: EventNameAddToCart, UserID: user, ProductIDs: products}
}

func checkCart(t *testing.T, user string, expected map[string]int64) {
	t.Helper()
	client := open(t, setting(t, "CARTWHEEL_URL"), Settings{})
	cart := Cart{}
	path := "/v1/users/" + url.PathEscape(user) + "/cart"
	if err := client.Do(context.Background(), http.MethodGet, path, nil, nil, &cart); err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, item := range cart.Items {
		found[item.ProductID] = int64(item.Quantity)
	}
	if !maps.Equal(found, expected) {
		t.Fatalf("the cart has %v, not %v", found, expected)
	}
}

// faulty is a proxy in front of the server that drops answers, or refuses.
func faulty(t *testing.T, drop int, status int, headers map[string]string) (string, func() []string) {
	t.Helper()
	target := setting(t, "CARTWHEEL_URL")
	var lock sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		lock.Lock()
		seen = append(seen, string(body))
		turn := len(seen)
		lock.Unlock()
		if status != 0 && turn == 1 {
			for name, value := range headers {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			return
		}
		request, _ := http.NewRequest(r.Method, target+r.URL.Path, bytes.NewReader(body))
		request.Header = r.Header.Clone()
		answer, err := http.DefaultClient.Do(request)
		if err != nil || turn <= drop {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		lock.Lock()
		defer lock.Unlock()
		return seen
	}
}

func TestEventsInRecommendationsOut(t *testing.T) {
	ctx := context.Background()
	client := open(t, setting(t, "CARTWHEEL_URL"), Settings{})
	user := newUser()
	for _, product := range []string{"1", "2", "2"} {
		if !client.Track(add(user, product)) {
			t.Fatal("an event is lost")
		}
	}
	if err := client.Close(ctx); err != nil || client.Waiting() != 0 {
		t.Fatal(err, client.Waiting())
	}
	checkCart(t, user, map[string]int64{"1": 1, "2": 2})
	submitted, err := client.Submit(ctx, add(user, "3"))
	if err != nil || len(submitted.Recommendations) != 10 {
		t.Fatal(err, submitted)
	}
	limit := int64(4)
	found, err := client.Recommend(ctx, RecommendationRequest{UserID: user, Limit: &limit})
	if err != nil || len(found.Recommendations) != 4 {
		t.Fatal(err, found)
	}
	lists := []ListRequest{{Name: "home"}, {Name: "cart"}}
	page, err := client.Page(ctx, PageRequest{UserID: user, Placements: lists})
	if err != nil || len(page.Placements) != 2 || page.Placements[1].Placement != "cart" {
		t.Fatal(err, page)
	}
}

func TestAnEventWhoseAnswerIsLostCountsOnce(t *testing.T) {
	base, seen := faulty(t, 2, 0, nil)
	client := open(t, base, Settings{Interval: time.Hour})
	user := newUser()
	client.Track(add(user, "1"))
	if err := client.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if bodies := seen(); len(bodies) != 3 || bodies[0] != bodies[2] {
		t.Fatal(bodies)
	}
	checkCart(t, user, map[string]int64{"1": 1})
}

func TestTheClientWaitsAsLongAsTheServerAsks(t *testing.T) {
	base, seen := faulty(t, 0, http.StatusTooManyRequests, map[string]string{"Retry-After": "1"})
	started := time.Now()
	_, err := open(t, base, Settings{}).Recommend(
		context.Background(), RecommendationRequest{UserID: newUser()})
	if err != nil || len(seen()) != 2 || time.Since(started) < time.Second {
		t.Fatal(err, seen(), time.Since(started))
	}
}

func TestErrorsSayWhetherTheyPass(t *testing.T) {
	ctx := context.Background()
	base, _ := faulty(t, 0, http.StatusServiceUnavailable, nil)
	_, err := open(t, base, Settings{Retries: -1}).Recommend(ctx, RecommendationRequest{UserID: "u"})
	var failed *Error
	if !errors.As(err, &failed) || failed.Status != 503 || !failed.IsPassing() {
		t.Fatal(err)
	}
	client := open(t, setting(t, "CARTWHEEL_URL"), Settings{})
	_, err = client.Placement(ctx, "nowhere", PlacementRequest{UserID: "u"})
	if !errors.As(err, &failed) || failed.Status != 404 || failed.IsPassing() || failed.Problem == nil {
		t.Fatal(err)
	}
}

func TestTheQueueIsBoundedAndSaysWhatItLoses(t *testing.T) {
	var lost []string
	client := open(t, setting(t, "CARTWHEEL_URL"), Settings{
		MaxQueue: 2,
		Interval: time.Hour,
		OnLost:   func(_ Event, why string) { lost = append(lost, why) },
	})
	user := newUser()
	if !client.Track(add(user, "1")) || !client.Track(add(user)) || client.Track(add(user, "2")) {
		t.Fatal(lost)
	}
	if err := client.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkCart(t, user, map[string]int64{"1": 1})
	if len(lost) != 2 || lost[0] != "the queue is full" || !strings.Contains(lost[1], "product") {
		t.Fatal(lost)
	}
}

func TestATokenActsForItsShopperAndIsFetchedAgain(t *testing.T) {
	user, fetched := newUser(), 0
	token := func(context.Context) (string, error) {
		fetched++
		if fetched == 1 {
			return ShopperToken("cws_other", user, time.Hour)
		}
		return ShopperToken(setting(t, "CARTWHEEL_SIGNING_SECRET"), user, time.Hour)
	}
	client := open(t, setting(t, "CARTWHEEL_URL"), Settings{Token: token})
	if _, err := client.Submit(context.Background(), add(user, "5")); err != nil || fetched != 2 {
		t.Fatal(err, fetched)
	}
	checkCart(t, user, map[string]int64{"5": 1})
	_, err := client.Recommend(context.Background(), RecommendationRequest{UserID: newUser()})
	var failed *Error
	if !errors.As(err, &failed) || !strings.HasSuffix(failed.Problem.Type, "other-shopper") {
		t.Fatal(err)
	}
}

func TestTheExampleOfTheReadmeRuns(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := string(regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(readme)[1])
	if lines := strings.Count(example, "\n"); lines > 5 {
		t.Fatalf("it has %d lines", lines)
	}
	example = strings.ReplaceAll(example, "http://127.0.0.1:8080", setting(t, "CARTWHEEL_URL"))
	example = strings.ReplaceAll(example, "cw_…", setting(t, "CARTWHEEL_API_KEY"))
	folder := t.TempDir()
	here, _ := filepath.Abs(".")
	module := "module example\n\ngo 1.22\n\nrequire cartwheel v0.0.0\n\nreplace cartwheel => " + here + "\n"
	program := "package main\n\nimport (\n\t\"cartwheel\"\n\t\"context\"\n\t\"fmt\"\n)\n\nfunc main() {\n" +
		example + "}\n"
	for name, text := range map[string]string{"go.mod": module, "main.go": program} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("go", "run", ".")
	run.Dir = folder
	printed, err := run.CombinedOutput()
	// Products, and no error.
	if err != nil || !regexp.MustCompile(`^\[\{.*\}\] <nil>\n$`).Match(printed) {
		t.Fatalf("%v\n%s", err, printed)
	}
}
