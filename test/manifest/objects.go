// Package manifest holds the gate that chatapp.yaml must pass before it goes
// to any cluster: every field is known to Kubernetes 1.24, the oldest that it is
// for, every reference leads somewhere, every pod is one that a strict cluster
// would take.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// Manifest is the objects of one file.
type Manifest struct {
	Objects []Object
}

// Object is any of them.
type Object interface {
	runtime.Object
	metav1.Object
}

// Workload is what makes pods.
type Workload struct {
	Kind     string
	Meta     *metav1.ObjectMeta
	Replicas int32
	Selector *metav1.LabelSelector
	Service  string // of a StatefulSet
	Pod      corev1.PodTemplateSpec
	Claims   []corev1.PersistentVolumeClaim

	// Surge is how many pods an update adds for a while, Unavailable how many
	// of the Replicas it may take away first.
	Surge, Unavailable int32
}

// Name is "Kind/name".
func (w Workload) Name() string { return w.Kind + "/" + w.Meta.Name }

var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err) // two packages of the API that do not go together
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// Read reads a file strictly: a field that the API does not know, or one that
// stands twice, is an error.
func Read(file string) (*Manifest, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse is Read for what is read already.
func Parse(text []byte) (*Manifest, error) {
	m := new(Manifest)
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	buf := make([]byte, len(text)+1)
	for n := 1; ; n++ {
		size, err := documents.Read(buf)
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		// To JSON by hand: the deserializer does not know YAML's anchors.
		document, err := sigsyaml.YAMLToJSONStrict(buf[:size])
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if string(document) == "null" {
			continue // comments alone
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		o, ok := object.(Object)
		if !ok {
			return nil, fmt.Errorf("document %d: %T has no metadata", n, object)
		}
		m.Objects = append(m.Objects, o)
	}
}

// all gives the objects of one type.
func all[T Object](m *Manifest) []T {
	var found []T
	for _, o := range m.Objects {
		if t, ok := o.(T); ok {
			found = append(found, t)
		}
	}
	return found
}

// Workloads gives the Deployments and StatefulSets.
func (m *Manifest) Workloads() []Workload {
	var found []Workload
	for _, d := range all[*appsv1.Deployment](m) {
		w := Workload{Kind: "Deployment", Meta: &d.ObjectMeta, Replicas: 1, Selector: d.Spec.Selector, Pod: d.Spec.Template}
		if d.Spec.Replicas != nil {
			w.Replicas = *d.Spec.Replicas
		}
		w.Surge, w.Unavailable = update(d.Spec.Strategy, w.Replicas)
		found = append(found, w)
	}
	for _, s := range all[*appsv1.StatefulSet](m) {
		w := Workload{Kind: "StatefulSet", Meta: &s.ObjectMeta, Replicas: 1, Selector: s.Spec.Selector, Service: s.Spec.ServiceName, Pod: s.Spec.Template, Claims: s.Spec.VolumeClaimTemplates}
		if s.Spec.Replicas != nil {
			w.Replicas = *s.Spec.Replicas
		}
		found = append(found, w)
	}
	return found
}

// update is what a strategy means for so many pods, as the controller reckons:
// the surge is rounded up, what is unavailable down, but not both to nothing.
func update(s appsv1.DeploymentStrategy, replicas int32) (surge, unavailable int32) {
	if s.Type == appsv1.RecreateDeploymentStrategyType {
		return 0, replicas
	}
	share := func(v *intstr.IntOrString, up bool) int32 {
		quarter := intstr.FromString("25%")
		if v == nil {
			v = &quarter
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(v, int(replicas), up)
		if err != nil {
			return 0 // strict decoding lets only numbers and percentages through
		}
		return int32(n)
	}
	rolling := s.RollingUpdate
	if rolling == nil {
		rolling = new(appsv1.RollingUpdateDeployment)
	}
	surge, unavailable = share(rolling.MaxSurge, true), share(rolling.MaxUnavailable, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}
