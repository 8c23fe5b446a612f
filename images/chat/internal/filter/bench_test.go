package filter

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkHundredFilters is what one message costs a pod whose sessions have
// 100 different filters between them: a filter is evaluated once, however many
// sessions share it. ns/op is per message and filter.
func BenchmarkHundredFilters(b *testing.B) {
	shapes := []string{
		"word%d", `"a phrase %d" OR tea`, "from:ann%d -#spam", "#tag%d OR (topic:tea is:reply)",
		"during:09:00-17:30 -word%d", "(tea OR cake) -from:bob%d after:2026-01-01",
	}
	now := time.UnixMilli(1_790_000_000_000)
	var matchers []*Matcher
	for i := range 100 {
		e, err := Parse(fmt.Sprintf(shapes[i%len(shapes)], i))
		if err != nil {
			b.Fatal(err)
		}
		matchers = append(matchers, e.Compile(Reader{}, now))
	}
	m := Message{
		Content: "Has anybody tried the new tea house by the river? They bake a very good lemon cake, and one may sit outside until nine. #tea #outside",
		Name:    "Ann Brown", Email: "ann@example.org", Topic: "tea", Time: now,
	}
	matched := 0
	for b.Loop() {
		f := Fold(m)
		for _, matcher := range matchers {
			if matcher.Match(&f) {
				matched++
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/filter")
	if matched == 0 {
		b.Fatal("nothing matched")
	}
}

func BenchmarkFold(b *testing.B) {
	m := Message{Content: "Hat jemand das neue Teehaus am Fluß probiert? Der Zitronenkuchen ist sehr gut, größer als anderswo.", Name: "Jürgen", Email: "juergen@example.org", Topic: "tee"}
	for b.Loop() {
		_ = Fold(m)
	}
}
