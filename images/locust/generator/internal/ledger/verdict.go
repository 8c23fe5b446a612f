package ledger

// examplesKept is how many examples of trouble a verdict keeps.
const examplesKept = 10

// Counts is what a ledger counts while the load runs; the words are those of
// chatload/verdict.py.
type Counts struct {
	Sent         int `msgpack:"sent"`
	Acknowledged int `msgpack:"acknowledged"`
	// Delivered: distinct messages shown to readers; one to three readers is three.
	Delivered  int `msgpack:"delivered"`
	Duplicated int `msgpack:"duplicated"`
	Reordered  int `msgpack:"reordered"`
	// Recovered: of the delivered, those that came by resume.
	Recovered int `msgpack:"recovered"`
	// Corrupt: damaged content, or a topic that was not asked for.
	Corrupt int `msgpack:"corrupt"`
	// Gaps: resumes whose cursor the server said it could not honour.
	Gaps int `msgpack:"gaps"`
	// Foreign: messages of others (no mark, or another run's).
	Foreign int `msgpack:"foreign"`
	// Overlap: repeats after a resume that an older cursor asked for.
	Overlap int `msgpack:"overlap"`
}

// Verdict is the outcome in numbers. Parts of several processes add up,
// because each thing is counted in one place only.
type Verdict struct {
	Sent          int      `msgpack:"sent" json:"sent"`
	Acknowledged  int      `msgpack:"acknowledged" json:"acknowledged"`
	Delivered     int      `msgpack:"delivered" json:"delivered"`
	Owed          int      `msgpack:"owed" json:"owed"`
	Lost          int      `msgpack:"lost" json:"lost"`
	Skipped       int      `msgpack:"skipped" json:"skipped"`
	Duplicated    int      `msgpack:"duplicated" json:"duplicated"`
	Reordered     int      `msgpack:"reordered" json:"reordered"`
	Recovered     int      `msgpack:"recovered" json:"recovered"`
	Unexpected    int      `msgpack:"unexpected" json:"unexpected"`
	Vanished      int      `msgpack:"vanished" json:"vanished"`
	Misnamed      int      `msgpack:"misnamed" json:"misnamed"`
	Corrupt       int      `msgpack:"corrupt" json:"corrupt"`
	Indeterminate int      `msgpack:"indeterminate" json:"indeterminate"`
	Unproven      int      `msgpack:"unproven" json:"unproven"`
	Unread        int      `msgpack:"unread" json:"unread"`
	Gaps          int      `msgpack:"gaps" json:"gaps"`
	Foreign       int      `msgpack:"foreign" json:"foreign"`
	Overlap       int      `msgpack:"overlap" json:"overlap"`
	Left          int      `msgpack:"left" json:"left"`
	Readers       int      `msgpack:"readers" json:"readers"`
	Examples      []string `msgpack:"examples" json:"-"`
}

// example keeps an example, if there is room.
func (v *Verdict) example(text string) {
	if len(v.Examples) < examplesKept {
		v.Examples = append(v.Examples, text)
	}
}
