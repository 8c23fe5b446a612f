package chat

import "testing"

func FuzzRecord(f *testing.F) {
	f.Add(string(NewEvent(draft()).AppendRecord(nil)))
	f.Add("m\x01")
	f.Add("m\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Add("z\x02ab\x00")
	at := ID{Pos: Pos{Ms: 5, Idx: 3}, Part: 2}
	f.Fuzz(func(t *testing.T, record string) {
		e := ParseRecord(at, "tea", record)
		if e.ID != at || e.Draft.Topic != "tea" {
			t.Errorf("%q is %+v, at another place", record, e)
		}
		if size := RecordSize("tea", record); size < 0 || size > len(record)+len("tea") {
			t.Errorf("%q has a size of %d", record, size)
		}
		if !e.Kind.Known() {
			return
		}
		if again := ParseRecord(at, "tea", string(e.AppendRecord(nil))); again != e {
			t.Errorf("%+v is read back as %+v", e, again)
		}
	})
}

func TestRecordOfALaterVersion(t *testing.T) {
	at := ID{Pos: Pos{Ms: 5}}
	message := NewEvent(draft())
	message.ID = at
	plain := string(message.AppendRecord(nil))
	reply := message
	reply.Draft.ReplyTo, reply.Draft.Account = ID{Pos: Pos{Ms: 4}, Part: 1}, "abcdefghijklmnop"
	full := string(reply.AppendRecord(nil))
	for _, c := range []struct {
		name, record string
		want         Event
		size         int
	}{
		{"as it is", plain, message, message.Size()},
		{"a reply", full, reply, reply.Size()},
		{"a field more", full + "\x03abc", reply, reply.Size() + 3},
		{"two fields more", full + "\x00\x01a", reply, reply.Size() + 1},
		{"of a reply without an account", plain + "\x18" + reply.Draft.ReplyTo.String(), Event{ID: at, Kind: 'm', Draft: func() Draft { d := message.Draft; d.ReplyTo = reply.Draft.ReplyTo; return d }()}, message.Size() + 24},
		{"a reply to what is no id", plain + "\x03abc", Damaged(at, message.Draft.Topic), -1},
		{"another kind", "z\x03abc\x02de", Event{ID: at, Kind: 'z', Draft: Draft{Topic: message.Draft.Topic}}, len(message.Draft.Topic) + 5},
		{"another kind alone", "z", Event{ID: at, Kind: 'z', Draft: Draft{Topic: message.Draft.Topic}}, len(message.Draft.Topic)},
		{"nothing", "", Damaged(at, message.Draft.Topic), len(message.Draft.Topic)},
		{"a zero byte", "\x00", Damaged(at, message.Draft.Topic), len(message.Draft.Topic)},
		{"cut off", plain[:len(plain)-1], Damaged(at, message.Draft.Topic), -1},
		{"the kind alone", "m", Damaged(at, message.Draft.Topic), -1},
	} {
		if got := ParseRecord(at, message.Draft.Topic, c.record); got != c.want {
			t.Errorf("%s: %+v; want %+v", c.name, got, c.want)
		}
		if got := RecordSize(message.Draft.Topic, c.record); c.size >= 0 && got != c.size {
			t.Errorf("%s: size %d; want %d", c.name, got, c.size)
		}
	}
}

func TestKindNames(t *testing.T) {
	for kind, want := range map[Kind]string{KindMessage: "m", KindDamaged: "damaged", 'z': "z", 0x1f: "0x1f", 0xff: "0xff", ' ': "0x20"} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is called %q; want %q", byte(kind), got, want)
		}
	}
}
