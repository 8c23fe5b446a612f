package localstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt maps its file into memory and checks no number in it. A damaged page
// makes it panic. A file that is too short ends the process with SIGBUS, which
// nothing can catch. So the pages are read here once, with plain reads, before
// bbolt is given the file. The form is bbolt's version 2: page.go, meta.go and
// inode.go of go.etcd.io/bbolt/internal/common.

const (
	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	elementSize = 16 // of branch and leaf pages alike
	metaSize    = 64 // of a meta page, without its header
	bucketSize  = 16 // root page 8, sequence 8

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = ^uint64(0)

	minPage, maxPage = 1 << 10, 16 << 20
	// maxDepth bounds the walk; a tree of 2^64 entries is not as deep.
	maxDepth = 64
)

// pages reads the structure of a bbolt file.
type pages struct {
	file io.ReaderAt
	size int64 // bytes in the file

	pageSize int64
	root     uint64 // page of the root bucket
	freelist uint64
	end      uint64 // first page that was never used
	oneMeta  bool   // one of the two meta pages can't be read: the last transaction may be lost

	used []uint64 // bit set of the pages that were reached
	// entry is told of every key, with the names of the buckets around it.
	entry func(buckets [][]byte, key, value []byte) error
}

var errNoMeta = errors.New("it does not begin as a log does")

// walk reads every page that is in use. The first thing that is wrong ends it.
func (p *pages) walk() error {
	if err := p.readMetas(); err != nil {
		return err
	}
	if need := int64(p.end) * p.pageSize; p.size < need {
		return fmt.Errorf("it is cut off: %d bytes of at least %d are there", p.size, need)
	}
	p.used = make([]uint64, p.end/64+1)
	p.mark(0)
	p.mark(1)
	if err := p.bucket(nil, p.root, nil); err != nil {
		return err
	}
	if p.freelist == noFreelist {
		return nil
	}
	return p.readFreelist()
}

// readMetas reads both meta pages and follows the newer one.
func (p *pages) readMetas() error {
	first, ok := p.readMeta(0)
	if ok {
		p.pageSize = int64(first.pageSize)
	}
	var second meta
	found := false
	for size := int64(minPage); size <= maxPage && !found; size <<= 1 {
		if ok && size != p.pageSize {
			continue
		}
		if second, found = p.readMeta(size); found {
			p.pageSize = size
			found = int64(second.pageSize) == size
		}
	}
	switch {
	case !ok && !found:
		return errNoMeta
	case !ok || found && second.txid > first.txid:
		first = second
	}
	p.oneMeta = !ok || !found
	p.root, p.freelist, p.end = first.root, first.freelist, first.end
	if first.pageSize < minPage || first.pageSize > maxPage || first.pageSize&(first.pageSize-1) != 0 ||
		p.end > 1<<40 || p.root >= p.end || p.freelist >= p.end && p.freelist != noFreelist {
		return errNoMeta
	}
	return nil
}

type meta struct {
	pageSize                  uint32
	root, freelist, end, txid uint64
}

func (p *pages) readMeta(at int64) (meta, bool) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := p.file.ReadAt(b, at); err != nil {
		return meta{}, false
	}
	b = b[pageHeader:]
	le := binary.LittleEndian
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion || le.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, false
	}
	return meta{
		pageSize: le.Uint32(b[8:]), root: le.Uint64(b[16:]),
		freelist: le.Uint64(b[32:]), end: le.Uint64(b[40:]), txid: le.Uint64(b[48:]),
	}, true
}

// mark notes that a page is in use, and reports whether it was not before.
func (p *pages) mark(id uint64) bool {
	if p.marked(id) {
		return false
	}
	p.used[id/64] |= 1 << (id % 64)
	return true
}

func (p *pages) marked(id uint64) bool { return p.used[id/64]&(1<<(id%64)) != 0 }

// page is one page with its overflow, header included.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte
}

func (p *pages) read(id uint64) (page, error) {
	if id < 2 || id >= p.end {
		return page{}, fmt.Errorf("page %d is named, but pages 2 to %d are there", id, p.end-1)
	}
	at := int64(id) * p.pageSize
	data := make([]byte, p.pageSize)
	if _, err := p.file.ReadAt(data, at); err != nil {
		return page{}, fmt.Errorf("page %d can't be read: %w", id, err)
	}
	le := binary.LittleEndian
	pg := page{id: id, flags: le.Uint16(data[8:]), count: int(le.Uint16(data[10:]))}
	over := uint64(le.Uint32(data[12:]))
	if own := le.Uint64(data); own != id {
		return page{}, fmt.Errorf("page %d says that it is page %d", id, own)
	}
	if over >= p.end-id {
		return page{}, fmt.Errorf("page %d goes on beyond the end", id)
	}
	for i := range over + 1 {
		if !p.mark(id + i) {
			return page{}, fmt.Errorf("page %d is used twice", id+i)
		}
	}
	if over > 0 {
		more := make([]byte, int64(over)*p.pageSize)
		if _, err := p.file.ReadAt(more, at+p.pageSize); err != nil {
			return page{}, fmt.Errorf("page %d can't be read: %w", id, err)
		}
		data = append(data, more...)
	}
	pg.data = data
	return pg, nil
}

// bucket walks the tree of a bucket: that of its root page, or the page inside
// the value that describes the bucket.
func (p *pages) bucket(name [][]byte, root uint64, inline []byte) error {
	t := tree{pages: p, name: name}
	if root != 0 {
		return t.walk(root, 0)
	}
	if len(inline) < pageHeader {
		return fmt.Errorf("bucket %q has no page", bytes.Join(name, []byte("/")))
	}
	le := binary.LittleEndian
	pg := page{flags: le.Uint16(inline[8:]), count: int(le.Uint16(inline[10:])), data: inline}
	if pg.flags != flagLeaf {
		return fmt.Errorf("bucket %q has a page of kind %#x", bytes.Join(name, []byte("/")), pg.flags)
	}
	return t.leaf(pg)
}

// tree is the walk through one bucket; keys must ascend over all its leaves.
type tree struct {
	*pages
	name [][]byte
	last []byte
}

func (t *tree) walk(id uint64, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d lies too deep", id)
	}
	pg, err := t.read(id)
	if err != nil {
		return err
	}
	switch pg.flags {
	case flagLeaf:
		return t.leaf(pg)
	case flagBranch:
		if pg.count == 0 {
			return fmt.Errorf("page %d leads nowhere", id)
		}
		for i := range pg.count {
			el, err := pg.element(i)
			if err != nil {
				return err
			}
			if _, err := pg.slice(i, int64(binary.LittleEndian.Uint32(el)), int64(binary.LittleEndian.Uint32(el[4:]))); err != nil {
				return err
			}
			if err := t.walk(binary.LittleEndian.Uint64(el[8:]), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("page %d is of kind %#x, which is none", id, pg.flags)
}

func (t *tree) leaf(pg page) error {
	le := binary.LittleEndian
	for i := range pg.count {
		el, err := pg.element(i)
		if err != nil {
			return err
		}
		flags, at := le.Uint32(el), int64(le.Uint32(el[4:]))
		keySize, valueSize := int64(le.Uint32(el[8:])), int64(le.Uint32(el[12:]))
		both, err := pg.slice(i, at, keySize+valueSize)
		if err != nil {
			return err
		}
		key, value := both[:keySize], both[keySize:]
		if keySize == 0 || t.last != nil && bytes.Compare(t.last, key) >= 0 {
			return fmt.Errorf("page %d has keys out of order", pg.id)
		}
		t.last = key
		if flags&flagBucket == 0 {
			if err := t.entry(t.name, key, value); err != nil {
				return fmt.Errorf("page %d: %w", pg.id, err)
			}
			continue
		}
		if len(value) < bucketSize {
			return fmt.Errorf("page %d has a bucket without a root", pg.id)
		}
		name := append(append([][]byte(nil), t.name...), key)
		if err := t.bucket(name, le.Uint64(value), value[bucketSize:]); err != nil {
			return err
		}
	}
	return nil
}

// element is the i-th element of a page: where its key and value are.
func (pg page) element(i int) ([]byte, error) {
	at := pageHeader + i*elementSize
	if at+elementSize > len(pg.data) {
		return nil, fmt.Errorf("page %d has more entries than fit", pg.id)
	}
	return pg.data[at : at+elementSize], nil
}

// slice is n bytes of a page; at counts from the i-th element on.
func (pg page) slice(i int, at, n int64) ([]byte, error) {
	from := int64(pageHeader+i*elementSize) + at
	if from+n > int64(len(pg.data)) {
		return nil, fmt.Errorf("page %d has an entry beyond its end", pg.id)
	}
	return pg.data[from : from+n], nil
}

// readFreelist makes sure that no page is both free and in use: bbolt would
// write over it.
func (p *pages) readFreelist() error {
	pg, err := p.read(p.freelist)
	if err != nil {
		return err
	}
	if pg.flags != flagFreelist {
		return fmt.Errorf("page %d is of kind %#x, but the list of free pages should be there", pg.id, pg.flags)
	}
	ids, count := pg.data[pageHeader:], uint64(pg.count)
	if count == 0xFFFF {
		count, ids = binary.LittleEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return fmt.Errorf("page %d: the list of free pages is longer than its page", pg.id)
	}
	for i := range count {
		id := binary.LittleEndian.Uint64(ids[i*8:])
		if id < 2 || id >= p.end {
			return fmt.Errorf("page %d: free page %d does not exist", pg.id, id)
		}
		if !p.mark(id) {
			return fmt.Errorf("page %d: page %d is listed as free and is in use", pg.id, id)
		}
	}
	return nil
}
