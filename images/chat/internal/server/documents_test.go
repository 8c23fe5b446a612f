package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"chatapp/chat/api"
	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/server"
)

// loadOpenAPI reads the document and checks it against OpenAPI 3.1, its own
// examples against its schemas among it.
func loadOpenAPI(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	b, err := api.Documents.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

// exchange makes a request, checks request and answer against the document,
// and gives the status.
func exchange(t *testing.T, router routers.Router, p *pod, method, path, body, contentType string, badRequest bool) int {
	t.Helper()
	return exchangeAs(t, router, p, "", method, path, body, contentType, badRequest)
}

// exchangeAs is exchange of whoever holds a token.
func exchangeAs(t *testing.T, router routers.Router, p *pod, token, method, path, body, contentType string, badRequest bool) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	found := req.Clone(t.Context())
	found.URL.Scheme, found.URL.Host = "", ""
	route, params, err := router.FindRoute(found)
	if err != nil {
		t.Fatalf("%s %s: not in the document: %v", method, path, err)
	}
	in := &openapi3filter.RequestValidationInput{Request: found, PathParams: params, Route: route, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}}
	found.Body = io.NopCloser(strings.NewReader(body))
	if err := openapi3filter.ValidateRequest(t.Context(), in); (err != nil) != badRequest {
		t.Errorf("%s %s: the document says of the request: %v", method, path, err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header,
		Body: io.NopCloser(bytes.NewReader(got)), Options: in.Options,
	})
	if err != nil {
		t.Errorf("%s %s: the document does not allow the answer %s %.300s: %v", method, path, resp.Status, got, err)
	}
	return resp.StatusCode
}

// anID is the id of a message in a path.
var anID = regexp.MustCompile("[0-9a-f]{24}")

// TestOpenAPI runs every example of a request against the server, and every
// operation once, and holds each answer against the document.
func TestOpenAPI(t *testing.T) {
	openapi3filter.RegisterBodyDecoder("application/yaml", openapi3filter.FileBodyDecoder)
	doc, router := loadOpenAPI(t)
	p := startPod(t, podOptions{})
	tried := map[string]bool{}
	try := func(method, path, body, contentType string, bad bool, want int) {
		t.Helper()
		if got := exchange(t, router, p, method, path, body, contentType, bad); got != want {
			t.Errorf("%s %s %.100s: %d; want %d", method, path, body, got, want)
		}
		pure, _, _ := strings.Cut(path, "?")
		tried[fmt.Sprint(method, " ", anID.ReplaceAllString(pure, "{id}"), " ", want)] = true
	}

	// The examples of requests.
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody != nil && path == "/api/v1/messages" {
				media := op.RequestBody.Value.Content["application/json"]
				for _, name := range []string{"usual", "again", "general"} { // in this order
					body, err := json.Marshal(media.Examples[name].Value.Value)
					if err != nil {
						t.Fatal(err)
					}
					want := http.StatusCreated
					if name == "again" {
						want = http.StatusOK
					}
					try(method, path, string(body), "application/json", false, want)
				}
				if len(media.Examples) != 3 {
					t.Errorf("%s %s has %d examples; this test runs 3", method, path, len(media.Examples))
				}
			}
			for _, param := range op.Parameters {
				if strings.Contains(path, "{") {
					continue
				}
				for _, example := range param.Value.Examples {
					try(method, fmt.Sprintf("%s?%s=%v", path, param.Value.Name, example.Value.Value), "", "", false, 200)
				}
			}
		}
	}
	// Everything else that can be asked of a healthy server.
	try("GET", "/api/v1/messages", "", "", false, 200)
	try("GET", "/api/v1/messages?limit=0", "", "", true, 400)
	try("GET", "/api/v1/messages?before=soon", "", "", true, 400)
	try("POST", "/api/v1/messages", `{"key":"k"}`, "application/json", true, 400)
	try("POST", "/api/v1/messages", `{"key":"k","name":"Ann","email":"ann@example.org","content":" "}`, "application/json", true, 400)
	try("POST", "/api/v1/messages", `{"key":"k","topic":null,"name":"Ann","email":"ann@example.org","content":"x"}`, "application/json", true, 400)
	try("POST", "/api/v1/messages", `{"key":"k","topic":"*","name":"Ann","email":"ann@example.org","content":"x"}`, "application/json", false, 400)
	try("POST", "/api/v1/messages", strings.Repeat(" ", 70_000), "application/json", true, 413)
	enrol(t, p, "zoe")
	try("POST", "/api/v1/messages", strings.ReplaceAll(draftJSON("k", "tea", "x"), "ann@", "zoe@"), "application/json", false, 401)
	try("POST", "/api/v1/messages", draftJSON("k", "~abcdefghijklmnop", "x"), "application/json", false, 404)
	const nobody = "0123456789abcdef01234567"
	try("GET", "/api/v1/messages?filter=(", "", "", false, 400)
	try("GET", "/api/v1/messages?reply_to="+nobody, "", "", false, 404)
	m := p.post(t, chat.Guest, chat.Draft{Key: "voted", Topic: "tea", Content: "hello"}).ID.String()
	vote := `{"vote":1,"name":"Ann","email":"ann@example.org"}`
	try("PUT", "/api/v1/messages/"+m+"/vote", vote, "application/json", false, 200)
	try("PUT", "/api/v1/messages/"+m+"/vote", `{"vote":2,"name":"Ann","email":"ann@example.org"}`, "application/json", true, 400)
	try("PUT", "/api/v1/messages/"+nobody+"/vote", vote, "application/json", false, 404)
	try("DELETE", "/api/v1/messages/"+m, "", "", false, 401)
	try("GET", "/api/v1/topics", "", "", false, 200)
	try("GET", "/api/v1/topics?limit=1", "", "", false, 200)
	try("GET", "/api/v1/topics?limit=1001", "", "", true, 400)
	try("GET", "/api/v1/topics?after=soon", "", "", true, 400)
	try("GET", "/ws", "", "", false, 426)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/openapi.yaml", "/api/v1/asyncapi.yaml"} {
		try("GET", path, "", "", false, 200)
	}
	// And of one that is not.
	store := &awayStore{store: openLocal(t)}
	p = startPod(t, podOptions{store: store, edge: server.Config{PostRate: 0.001, PostBurst: 1, ReadyTolerance: 1}})
	expectServed(t, p)
	store.away.Store(true)
	draft := draftJSON("k", "tea", "x")
	try("POST", "/api/v1/messages", draft, "application/json", false, 503)
	try("POST", "/api/v1/messages", draft, "application/json", false, 429)
	try("GET", "/api/v1/messages", "", "", false, 503)
	try("GET", "/api/v1/topics", "", "", false, 503)
	try("GET", "/readyz", "", "", false, 503)

	// What the document says may happen, and did not.
	elsewhere := map[string]string{
		"DELETE /api/v1/messages/{id} 204": "TestDeletedIsBlankOnEveryRoad", "DELETE /api/v1/messages/{id} 403": "TestDeletedIsBlankOnEveryRoad",
		"DELETE /api/v1/messages/{id} 404": "TestDeletedIsBlankOnEveryRoad", "DELETE /api/v1/messages/{id} 500": "TestPanicsAreLoggedAndAnswered",
		"DELETE /api/v1/messages/{id} 503": "TestVotesThatAreRefused", "PUT /api/v1/messages/{id}/vote 401": "TestVotesThatAreRefused",
		"PUT /api/v1/messages/{id}/vote 403": "TestCrossOriginPosts", "PUT /api/v1/messages/{id}/vote 429": "TestVotesThatAreRefused",
		"PUT /api/v1/messages/{id}/vote 500": "TestPanicsAreLoggedAndAnswered", "PUT /api/v1/messages/{id}/vote 503": "TestVotesThatAreRefused",
		"GET /ws 101": "every test of frames", "GET /ws 400": "TestUpgrade", "GET /ws 403": "TestUpgrade",
		"GET /ws 503": "TestLimitOfConnections", "POST /api/v1/messages 403": "TestCrossOriginPosts",
		"GET /metrics 404":         "TestMetricsOnThePublicPort",
		"GET /metrics 401":         "TestGuestsMayNot",
		"GET /api/v1/messages 500": "TestPanicsAreLoggedAndAnswered", "POST /api/v1/messages 500": "TestPanicsAreLoggedAndAnswered",
		"GET /api/v1/messages 429": "TestReadLimitOverHTTP", "GET /api/v1/topics 429": "TestReadLimitOverHTTP",
		"GET /api/v1/topics 500":       "TestPanicsAreLoggedAndAnswered",
		"GET /api/v1/openapi.yaml 304": "TestConditionalRequests", "GET /api/v1/openapi.yaml 412": "TestConditionalRequests",
		"GET /api/v1/asyncapi.yaml 304": "TestConditionalRequests", "GET /api/v1/asyncapi.yaml 412": "TestConditionalRequests",
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Tags[0] == "people" || op.Tags[0] == "rooms" {
				continue // TestOpenAPIPeople
			}
			for status := range op.Responses.Map() {
				if what := fmt.Sprint(method, " ", path, " ", status); !tried[what] && elsewhere[what] == "" {
					t.Errorf("%s is in the document, but was not seen", what)
				}
			}
		}
	}
}

// asyncAPI is what the tests need of the document.
type asyncAPI struct {
	Operations map[string]struct {
		Action   string
		Messages []struct {
			Ref string `yaml:"$ref"`
		}
		Reply struct {
			Messages []struct {
				Ref string `yaml:"$ref"`
			}
		}
	}
	Components struct {
		Messages map[string]struct {
			Payload struct {
				Ref string `yaml:"$ref"`
			}
			Examples []struct {
				Name    string
				Payload map[string]any
			}
		}
	}

	schemas *jsonschema.Compiler
}

func loadAsyncAPI(t *testing.T) *asyncAPI {
	t.Helper()
	b, err := api.Documents.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc := &asyncAPI{schemas: jsonschema.NewCompiler()}
	var whole any
	if err := yaml.Unmarshal(b, doc); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	if err := doc.schemas.AddResource("asyncapi.json", asJSONValue(t, whole)); err != nil {
		t.Fatal(err)
	}
	return doc
}

// asJSONValue is v as JSON readers give it.
func asJSONValue(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	back, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// check validates a frame as the named message.
func (d *asyncAPI) check(t *testing.T, message string, frame any) error {
	t.Helper()
	m, ok := d.Components.Messages[message]
	if !ok {
		return fmt.Errorf("asyncapi.yaml has no message %s", message)
	}
	schema, err := d.schemas.Compile("asyncapi.json" + m.Payload.Ref)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(asJSONValue(t, frame))
}

// TestAsyncAPIExamples checks the document's examples and the golden frames of
// the server against the schemas, and that the schemas refuse something.
func TestAsyncAPIExamples(t *testing.T) {
	doc := loadAsyncAPI(t)
	for name, m := range doc.Components.Messages {
		if len(m.Examples) == 0 {
			t.Errorf("message %s has no example", name)
		}
		for _, example := range m.Examples {
			if err := doc.check(t, name, example.Payload); err != nil {
				t.Errorf("%s, %s: %v", name, example.Name, err)
			}
		}
		if err := doc.check(t, name, map[string]any{"type": name + "?"}); err == nil {
			t.Errorf("%s: any object will do", name)
		}
	}
	var golden []struct {
		Name  string
		Frame map[string]any
	}
	b, err := os.ReadFile("../wire/testdata/server_frames.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden {
		if err := doc.check(t, fmt.Sprint(g.Frame["type"]), g.Frame); err != nil {
			t.Errorf("golden frame %q: %v", g.Name, err)
		}
	}
}

// TestAsyncAPI sends every example of a client's frame to the server. The
// answer must be one that the operation may reply with, and as its schema says.
func TestAsyncAPI(t *testing.T) {
	doc := loadAsyncAPI(t)
	p := startPod(t, podOptions{})
	last := func(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
	sent := 0
	for name, op := range doc.Operations {
		if op.Action != "receive" {
			continue
		}
		var allowed []string
		for _, m := range op.Reply.Messages {
			allowed = append(allowed, last(m.Ref))
		}
		for _, example := range doc.Components.Messages[last(op.Messages[0].Ref)].Examples {
			t.Run(name+" "+example.Name, func(t *testing.T) {
				conn := openRaw(t, p)
				defer conn.Close()
				if name != "hello" {
					conn.write(text(`{"type":"hello","topics":[]}`))
					conn.next()
				}
				b, err := json.Marshal(example.Payload)
				if err != nil {
					t.Fatal(err)
				}
				conn.write(text(string(b)))
				sent++
				var answer map[string]any
				got, ok := strings.CutPrefix(conn.next(), "text ")
				if !ok {
					t.Fatalf("answered with %s", got)
				}
				if err := json.Unmarshal([]byte(got), &answer); err != nil {
					t.Fatal(err)
				}
				kind := fmt.Sprint(answer["type"])
				if !strings.Contains(" "+strings.Join(allowed, " ")+" ", " "+kind+" ") || kind == "error" && example.Name != "unknown" {
					t.Errorf("answered with %s; want %v, and no error", got, allowed)
				}
				if err := doc.check(t, kind, answer); err != nil {
					t.Errorf("%s: %v", got, err)
				}
			})
		}
	}
	if sent < 10 {
		t.Errorf("only %d examples", sent)
	}
}
