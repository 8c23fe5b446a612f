package chat

import (
	"strings"
	"testing"
)

func draft() Draft {
	return Draft{Key: "k1", Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: "hello"}
}

func TestCleanAcceptsTheBoundsOfEachField(t *testing.T) {
	for name, change := range map[string]func(*Draft){
		"as it is":            func(*Draft) {},
		"longest key":         func(d *Draft) { d.Key = strings.Repeat("A", MaxKey) },
		"every kind of key":   func(d *Draft) { d.Key = "aZ09._:-" },
		"longest topic":       func(d *Draft) { d.Topic = strings.Repeat("é", MaxTopic) },
		"topic with spaces":   func(d *Draft) { d.Topic = " tea and cake " },
		"longest name":        func(d *Draft) { d.Name = strings.Repeat("🙂", MaxName) },
		"longest content":     func(d *Draft) { d.Content = strings.Repeat("🙂", MaxContent) },
		"content keeps lines": func(d *Draft) { d.Content = "\n a \n b \n" },
		"right-to-left name":  func(d *Draft) { d.Name = "\u05e9\u05dc\u05d5\u05dd" },
		"plus address":        func(d *Draft) { d.Email = "a.b+c@mail.example.org" },
		"quoted local part":   func(d *Draft) { d.Email = `"a b"@example.org` },
		"international":       func(d *Draft) { d.Email = "jürgen@exämple.org" },
	} {
		d := draft()
		change(&d)
		got, err := d.Clean()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.Content != d.Content {
			t.Errorf("%s: content changed", name)
		}
	}
}

func TestCleanRefusesWhatIsPastTheBounds(t *testing.T) {
	for name, change := range map[string]func(*Draft){
		"key: none":             func(d *Draft) { d.Key = "" },
		"key: too long":         func(d *Draft) { d.Key = strings.Repeat("A", MaxKey+1) },
		"key: space":            func(d *Draft) { d.Key = "a b" },
		"key: not ASCII":        func(d *Draft) { d.Key = "é" },
		"topic: none":           func(d *Draft) { d.Topic = "" },
		"topic: star":           func(d *Draft) { d.Topic = " *" },
		"topic: invisible":      func(d *Draft) { d.Topic = "\u200b" },
		"topic: blank":          func(d *Draft) { d.Topic = "  " },
		"topic: too long":       func(d *Draft) { d.Topic = strings.Repeat("é", MaxTopic+1) },
		"topic: newline":        func(d *Draft) { d.Topic = "a\nb" },
		"topic: C1 control":     func(d *Draft) { d.Topic = "a\u0085b" },
		"name: none":            func(d *Draft) { d.Name = "" },
		"name: too long":        func(d *Draft) { d.Name = strings.Repeat("🙂", MaxName+1) },
		"name: turned around":   func(d *Draft) { d.Name = "\u202eevil" },
		"name: invisible":       func(d *Draft) { d.Name = "\u3164\u200d" },
		"name: NUL":             func(d *Draft) { d.Name = "a\x00b" },
		"name: not UTF-8":       func(d *Draft) { d.Name = "a\xff" },
		"email: none":           func(d *Draft) { d.Email = "" },
		"email: no at":          func(d *Draft) { d.Email = "ann" },
		"email: display name":   func(d *Draft) { d.Email = "Ann <ann@example.org>" },
		"email: angle brackets": func(d *Draft) { d.Email = "<ann@example.org>" },
		"email: two":            func(d *Draft) { d.Email = "a@example.org, b@example.org" },
		"email: space around":   func(d *Draft) { d.Email = " ann@example.org" },
		"email: comment":        func(d *Draft) { d.Email = "ann@example.org (Ann)" },
		"email: newline":        func(d *Draft) { d.Email = "ann@example.org\n" },
		"email: too long":       func(d *Draft) { d.Email = strings.Repeat("a", MaxEmail) + "@b.c" },
		"content: none":         func(d *Draft) { d.Content = "" },
		"content: blank":        func(d *Draft) { d.Content = " \n\t\u2003" },
		"content: too long":     func(d *Draft) { d.Content = strings.Repeat("🙂", MaxContent+1) },
		"content: invisible":    func(d *Draft) { d.Content = "\u200b\u2800\ufe0f" },
		"content: NUL":          func(d *Draft) { d.Content = "a\x00b" },
		"content: not UTF-8":    func(d *Draft) { d.Content = "a\xc3" },
	} {
		d := draft()
		change(&d)
		_, err := d.Clean()
		field, _, _ := strings.Cut(name, ":")
		if e := AsError(err); err == nil || e.Code != CodeBadMessage || !strings.HasPrefix(e.Message, field+": send") {
			t.Errorf("%s: got %v; want bad_message that names %s", name, err, field)
		}
	}
}

func TestCleanMakesLinesOfTopicAndName(t *testing.T) {
	d := draft()
	d.Topic, d.Name = " cafe\u0301\u2003", "\tAnn \u200b"
	got, err := d.Clean()
	if err != nil || got.Topic != "caf\u00e9" || got.Name != "Ann" {
		t.Errorf("got %q, %q, %v", got.Topic, got.Name, err)
	}
}
