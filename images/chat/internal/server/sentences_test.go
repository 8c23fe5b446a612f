package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatapp/chat/internal/server"
)

// sentences says which test holds which sentence of the wire contract's Part
// Two. Tests of this package run over a file and over Redis with two servers;
// those of cmd/chat run processes; clauses (N1_…) are those of
// internal/storetest, which both stores pass.
var sentences = []struct{ chapter, sentence, tests string }{
	{"who is speaking", "what guests may do; closed registration", "TestGuestsSettings TestGuestsMayNot"},
	{"who is speaking", "sign-ins a minute from one source; in number under way", "TestSignInRate TestHasherIsBounded TestSignInFlood"},
	{"who is speaking", "the calls of accounts and sessions, their answers and refusals", "TestAccounts TestRulesOfAccounts TestOpenAPIPeople"},
	{"who is speaking", "passwords: their length, not trimmed, compared after NFC", "TestRulesOfPasswords TestPasswordsAreComparedAfterNFC"},
	{"who is speaking", "the same words and work whether or not the account exists", "TestAccounts TestSignInTellsNothing"},
	{"who is speaking", "an account's name among programs is never given twice", "TestAccounts N4_DeleteTakesAllWithIt"},
	{"who is speaking", "the token: where it is taken from, and where it is not looked for", "TestTokenIsTakenFromTwoPlaces"},
	{"who is speaking", "a token that ends ends everywhere, its sockets with 4004", "TestTokensEnd TestTokensEndOnEveryPod N3_NewPasswordEndsOtherTokens"},
	{"who is speaking", "a token lasts 30 days since its last use", "N7_TokensLastSinceTheirLastUse"},
	{"who is speaking", "a pod that cannot reach the store of people", "TestPeopleAway TestNothingOfRoomsWithoutTheDirectory"},
	{"who is speaking", "10 wrong passwords within 15 minutes, current_password among them", "TestAddressIsLocked TestLock L1_WrongPasswordsLock"},
	{"who is speaking", "you; name and address of posts; verified; a held address", "TestPostsOfAccounts TestHolders"},
	{"who is speaking", "presence: connections, guests, accounts, over all pods, killed ones included", "TestPresenceCountsUsers TestPresenceAfterKilledPods P4_AccountsCountOnce"},
	{"private rooms", "the calls of rooms, their answers and refusals", "TestRooms TestRulesOfRooms M1_KeyNamesTheRoom M2_UnknownAndTooMany M8_ChangeRoom"},
	{"private rooms", "who becomes creator; the last one goes", "TestRulesOfRooms M6_SuccessionAndTheLast"},
	{"private rooms", "the frame rooms, at most once a second", "TestPostsOfAccounts TestRoomMessages TestRoomsFrameIsSeldom"},
	{"private rooms", "* and calls without topic; the list of topics", "TestRoomMessages TestTopicsListMyRooms"},
	{"private rooms", "everything is not_found to whoever is no member, by the same steps", "TestRooms TestConversationInRooms TestStrangersCostTheSame M3_StrangersFindNone"},
	{"private rooms", "hello and subscribe that name what is not there", "TestRoomMessages"},
	{"private rooms", "nothing sent after a removal was answered reaches the removed", "TestNothingReachesTheRemoved TestConversationInRooms"},
	{"private rooms", "who comes back hears the room again", "TestRoomMessages"},
	{"private rooms", "mixed versions", "TestBesideTheVersionBeforeRooms TestTwoVersionsOnOneLog"},
	{"conversation", "replies: of the same topic, counted, paged, repeated", "TestPlays TestDeletedIsBlankOnEveryRoad A7_RepliesCountAndAreRefused TestIDOfZeros"},
	{"conversation", "votes: durable, one for each address, the last one counts", "TestVotesOverHTTP TestVotesThatAreRefused TestVotesThroughAFailover V1_TallyOfEachBallotDurably V2_OneVotePerVoter"},
	{"conversation", "deletion: by whom, what is left, in every answer", "TestDeletedIsBlankOnEveryRoad TestConversationInRooms D1_DeletingKeepsNumbers"},
	{"conversation", "updates: at most four a second, never back, the last for certain", "TestManyVotesFewUpdates TestUpdatesNeverGoBack"},
	{"conversation", "a client that resumed is told; more than 1,000", "TestResumeTellsWhatChanged TestResumeAfterTooManyChanges"},
	{"ephemeral", "kept nowhere", "TestEphemeralIsKeptNowhere E4_NothingOfEphemeralsIsKept"},
	{"ephemeral", "frame, ack, refusals", "TestPlays TestAsyncAPI"},
	{"ephemeral", "dropped before anything else", "TestEphemeralsAreDroppedFirst"},
	{"filters", "grammar, errors and their places, what matches", "TestGoldenParse TestGoldenMatch"},
	{"filters", "in hello, subscribe, history and HTTP; pages; refusals change nothing", "TestFilteredReaders TestPlays TestFilterFollowsRoomNames"},
	{"filters", "saved ones", "TestSavedFilters TestRulesOfSavedFilters"},
}

// TestSentencesHaveTests: the table names tests that there are.
func TestSentencesHaveTests(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"../*/*_test.go", "../storetest/*.go", "../../cmd/chat/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	for _, s := range sentences {
		for _, name := range strings.Fields(s.tests) {
			if !strings.Contains(source.String(), "func "+name+"(") && !strings.Contains(source.String(), `{"`+name+`"`) {
				t.Errorf("%s, %q: there is no %s", s.chapter, s.sentence, name)
			}
		}
	}
}

// rule is one call and its answer.
type rule struct {
	who                someone
	method, path, body string
	status             int
	code               string // of a problem; "": none
}

// hold makes the call and checks status and code; the body is given.
func (r rule) hold(t *testing.T, p *pod) string {
	t.Helper()
	got := r.who.does(p, r.method, r.path, r.body, r.status)
	if r.code != "" && !strings.Contains(got, fmt.Sprintf(`"code":%q`, r.code)) {
		t.Errorf("%s %s %s: %s; want code %s", r.method, r.path, r.body, got, r.code)
	}
	return got
}

func TestRulesOfAccounts(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, guest := enrol(t, pods[0], "ann"), someone{t: t}
		for _, r := range []rule{
			{guest, "POST", "/accounts", `{"name":"x","password":"correct horse"}`, 400, "bad_message"},
			{guest, "POST", "/accounts", `{"email":"q@example.org","password":"correct horse"}`, 400, "bad_message"},
			{guest, "POST", "/accounts", `{"email":"q@example.org","name":"x"}`, 400, "bad_message"},
			{guest, "POST", "/accounts", `{"email":"q@example.org","name":"a\nb","password":"correct horse"}`, 400, "bad_message"},
			{guest, "POST", "/accounts", `{"email":5,"name":"x","password":"correct horse"}`, 400, "bad_frame"},
			{guest, "POST", "/accounts", `[]`, 400, "bad_frame"},
			{guest, "POST", "/session", `{"email":"ann@example.org","password":""}`, 401, "unauthorised"},
			{guest, "PATCH", "/account", `{"current_password":"correct horse"}`, 401, "unauthorised"},
			{guest, "DELETE", "/account", `{"current_password":"correct horse"}`, 401, "unauthorised"},
			{ann, "PATCH", "/account", `{"current_password":"correct horse"}`, 200, ""},
			{ann, "PATCH", "/account", `{"name":"","current_password":"correct horse"}`, 400, "bad_message"},
			{ann, "PATCH", "/account", `{"password":"short","current_password":"correct horse"}`, 400, "bad_message"},
			{ann, "DELETE", "/account", ``, 400, "bad_frame"},
			{ann, "PUT", "/session", ``, 405, "not_found"},
			{ann, "GET", "/account", ``, 405, "not_found"},
		} {
			for _, p := range pods {
				r.hold(t, p)
			}
		}
	})
}

func TestRulesOfPasswords(t *testing.T) {
	p := startPod(t, podOptions{})
	guest := someone{t: t}
	for i, c := range []struct {
		password string
		status   int
	}{
		{"123456789", 400}, {"1234567890", 201}, {strings.Repeat("x", 256), 201}, {strings.Repeat("x", 257), 400},
		{strings.Repeat("é", 9), 400}, {strings.Repeat("é", 10), 201}, {strings.Repeat("é", 256), 201},
		{strings.Repeat(" ", 10), 201}, {" not trimmed ", 201}, {"tab\tnew\nline", 201},
	} {
		sent, _ := json.Marshal(map[string]string{"email": fmt.Sprintf("p%d@example.org", i), "name": "p", "password": c.password})
		guest.does(p, "POST", "/accounts", string(sent), c.status)
		if c.status != 201 {
			continue
		}
		guest.does(p, "POST", "/session", string(sent), 200)
		longer, _ := json.Marshal(map[string]string{"email": fmt.Sprintf("p%d@example.org", i), "password": c.password + " "})
		guest.does(p, "POST", "/session", string(longer), 401)
	}
}

// TestTokenIsTakenFromTwoPlaces: the header over HTTP, and hello.
func TestTokenIsTakenFromTwoPlaces(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann := enrol(t, pods[0], "ann")
		for header, status := range map[string]int{
			"Bearer " + ann.token: 200, "bearer " + ann.token: 200, "Bearer": 401, "Bearer nonsense": 401, "Basic eDp5": 200,
		} {
			resp := call(t, "GET", pods[1].url+"/api/v1/session", "", "Authorization: "+header)
			if body := bodyOf(t, resp); resp.StatusCode != status || strings.Contains(body, ann.account) != strings.Contains(header, ann.token) {
				t.Errorf("%s: %s %s", header, resp.Status, body)
			}
		}
		if body := bodyOf(t, call(t, "GET", pods[1].url+"/api/v1/session?token="+ann.token, "")); !strings.Contains(body, `"account":null`) {
			t.Errorf("a token in a URL was taken: %s", body)
		}
		for _, token := range []string{"", "nonsense", strings.Repeat("x", 5000)} {
			c := someone{t: t}.hello(pods[1], `,"token":"`+token+`"`)
			c.until(`"type":"error"`, `"code":"unauthorised"`)
			c.until("close 4004")
		}
		c := someone{t: t}.hello(pods[1], `,"token":5`)
		c.until(`"code":"bad_frame"`)
		c.write(text(`{"type":"hello"}`))
		if got := c.until(`"type":"welcome"`); strings.Contains(got, `"you"`) {
			t.Errorf("a guest is somebody: %s", got)
		}
	})
}

func TestRulesOfRooms(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		ann, bob, cat, guest := enrol(t, here, "ann"), enrol(t, here, "bob"), enrol(t, here, "cat"), someone{t: t}
		for _, body := range []string{
			`{"name":"x"}`, `{"key":"k"}`, `{"key":"bad key","name":"x"}`, `{"key":"k","name":" "}`, `{"key":"k","name":"a\nb"}`,
			`{"key":"k","name":"` + strings.Repeat("x", 65) + `"}`, `{"key":"k","name":"x","members":"bob@example.org"}`, `{"key":"k","name":"x","members":[5]}`,
		} {
			ann.does(here, "POST", "/rooms", body, 400)
		}
		if got := ann.does(here, "POST", "/rooms", `{"key":"k","name":"x","members":["no@example.org","bob@example.org","no address"]}`, 400); !strings.Contains(got, `"unknown":["no@example.org","no address"]`) {
			t.Errorf("unknown: %s", got)
		}
		// A refused key is still free; the creator may be among the members, anybody twice.
		var room struct {
			Room, Creator, Created, Name string
			Count                        int
			Members                      []struct{ Account string }
		}
		made := ann.does(here, "POST", "/rooms", `{"key":"k","name":" Den\u200b","members":["BOB@example.org","bob@example.org","ann@example.org"]}`, 201)
		if err := json.Unmarshal([]byte(made), &room); err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^~[a-z2-7]{16}$`).MatchString(room.Room) || room.Name != "Den" || room.Count != 2 || len(room.Members) != 2 || room.Creator != ann.account {
			t.Errorf("made %s", made)
		}
		if got := ann.does(there, "POST", "/rooms", `{"key":"k","name":"other"}`, 200); got != made {
			t.Errorf("the same key: %s; want %s", got, made)
		}
		bob.does(there, "POST", "/rooms", `{"key":"k","name":"bob's own"}`, 201)

		path := "/rooms/" + room.Room
		member := func(mail string) string { return path + "/members/" + url.PathEscape(mail) }
		for _, r := range []rule{
			// A member's try is 403, also where it would change nothing.
			{bob, "PUT", member(cat.mail), "", 403, "unauthorised"},
			{bob, "PUT", member(bob.mail), "", 403, "unauthorised"},
			{bob, "PUT", member("no@example.org"), "", 403, "unauthorised"},
			{bob, "DELETE", member(ann.mail), "", 403, "unauthorised"},
			{bob, "PATCH", path, `{"name":"x"}`, 403, "unauthorised"},
			{bob, "PATCH", path, `{"name":""}`, 403, "unauthorised"},
			{bob, "PATCH", path, `{"creator":"` + bob.account + `"}`, 403, "unauthorised"},
			{bob, "DELETE", path, "", 403, "unauthorised"},
			// A stranger's 404, whatever is asked.
			{cat, "PATCH", path, `{"name":""}`, 404, "not_found"},
			{cat, "PATCH", path, `{"creator":"zz"}`, 404, "not_found"},
			{cat, "PUT", member("no@example.org"), "", 404, "not_found"},
			{cat, "DELETE", member(cat.mail), "", 404, "not_found"},
			{cat, "GET", "/messages?topic=" + room.Room, "", 404, "not_found"},
			// A guest's 401.
			{guest, "GET", path, "", 401, "unauthorised"},
			{guest, "PUT", member(cat.mail), "", 401, "unauthorised"},
			{guest, "DELETE", path, "", 401, "unauthorised"},
			// The creator's.
			{ann, "PUT", member("no@example.org"), "", 400, "bad_message"},
			{ann, "PATCH", path, `{"creator":"` + cat.account + `"}`, 400, "bad_message"},
			{ann, "PATCH", path, `{"creator":"zz"}`, 400, "bad_message"},
			{ann, "PATCH", path, `{}`, 200, ""},
			{ann, "PUT", member("Cat@example.org"), "", 204, ""},
			{ann, "PUT", member(cat.mail), "", 204, ""},
			{ann, "DELETE", member(cat.mail), "", 204, ""},
			{ann, "DELETE", member(cat.mail), "", 204, ""},
			{ann, "DELETE", member("no@example.org"), "", 204, ""},
			{ann, "PUT", path, "", 405, "not_found"},
			// Topics that begin with ~ and are no room of mine.
			{ann, "POST", "/messages", `{"key":"m","topic":"~","content":"x"}`, 404, "not_found"},
			{ann, "POST", "/messages", `{"key":"m","topic":" ~x","content":"x"}`, 404, "not_found"},
			{ann, "POST", "/messages", `{"key":"m","topic":"` + strings.ToUpper(room.Room) + `","content":"x"}`, 404, "not_found"},
			{ann, "POST", "/messages", `{"key":"m","topic":" ` + room.Room + `\u200b","content":"x"}`, 201, ""},
			// The creator goes, then the last one.
			{ann, "DELETE", member(ann.mail), "", 204, ""},
			{ann, "DELETE", member(ann.mail), "", 404, "not_found"},
			{bob, "PATCH", path, `{"name":"mine"}`, 200, ""},
			{bob, "DELETE", member(bob.mail), "", 204, ""},
			{bob, "GET", path, "", 404, "not_found"},
			{bob, "POST", "/messages", `{"key":"m","topic":"` + room.Room + `","content":"x"}`, 404, "not_found"},
		} {
			r.hold(t, here)
		}
		// At most 100 rooms by one creator, also by handing over.
		for i := range 100 {
			cat.does(here, "POST", "/rooms", fmt.Sprintf(`{"key":"r%d","name":"x"}`, i), 201)
		}
		rule{cat, "POST", "/rooms", `{"key":"more","name":"x"}`, 409, "conflict"}.hold(t, there)
		rule{cat, "POST", "/rooms", `{"key":"r0","name":"x"}`, 200, ""}.hold(t, there)
		full := roomOf(t, here, ann, cat)
		rule{ann, "PATCH", "/rooms/" + full, `{"creator":"` + cat.account + `"}`, 409, "conflict"}.hold(t, there)
		mails, _ := json.Marshal(slices.Repeat([]string{"x@example.org"}, 501))
		rule{ann, "POST", "/rooms", fmt.Sprintf(`{"key":"big","name":"x","members":%s}`, mails), http.StatusConflict, "conflict"}.hold(t, there)
	})
}

func TestRulesOfSavedFilters(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, guest := enrol(t, pods[0], "ann"), someone{t: t}
		for i := range 100 {
			ann.does(pods[i%2], "PUT", fmt.Sprintf("/filters/f%d", i), `{"filter":"x"}`, 200)
		}
		for _, r := range []rule{
			{ann, "PUT", "/filters/more", `{"filter":"x"}`, 409, "conflict"},
			{ann, "PUT", "/filters/f0", `{"filter":"y"}`, 200, ""},
			{ann, "PUT", "/filters/" + strings.Repeat("x", 65), `{"filter":"x"}`, 400, "bad_message"},
			{ann, "PUT", "/filters/%20", `{"filter":"x"}`, 400, "bad_message"},
			{ann, "PUT", "/filters/f1", `{"filter":5}`, 400, "bad_frame"},
			{ann, "DELETE", "/filters/f1", "", 204, ""},
			{ann, "DELETE", "/filters/f1", "", 404, "not_found"},
			{ann, "PUT", "/filters/a%2Fb", `{"filter":"x"}`, 200, ""},
			{ann, "GET", "/filters/f0", "", 405, "not_found"},
			{guest, "PUT", "/filters/f0", `{"filter":"x"}`, 401, "unauthorised"},
			{guest, "DELETE", "/filters/f0", "", 401, "unauthorised"},
		} {
			r.hold(t, pods[1])
		}
		if got := ann.does(pods[0], "GET", "/filters", "", 200); !strings.Contains(got, `{"name":"a/b","filter":"x"},{"name":"f0","filter":"y"},{"name":"f10",`) {
			t.Errorf("filters by name: %s", got)
		}
	})
}
