package manifest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

const (
	root     = "../.."
	file     = root + "/chatapp.yaml"
	registry = "harbor.pacslab.ca/123456789/"

	// What the smallest cluster has for all pods, those included that an update
	// adds for a while: a node of 2 CPUs and 4 GiB, of which kubeadm's control
	// plane asks for 850m and 240 MiB. The network plugin and the system want
	// their part of the memory, too.
	mostCPU, mostMemory = "1150m", "2Gi"
)

// official is the images that are not ours: re-tagged, without a folder.
var official = map[string]string{"redis": "8.0-bookworm"}

func load(t *testing.T) *Manifest {
	t.Helper()
	m, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Objects) == 0 || len(m.Workloads()) == 0 {
		t.Fatal("there is nothing in it")
	}
	return m
}

// TestMisspeltFieldsAreErrors, and so are those that Kubernetes 1.24 does not
// have: the types are that version's.
func TestMisspeltFieldsAreErrors(t *testing.T) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][2]string{
		{"replicas: 3", "replica: 3"},
		{"imagePullSecrets:", "imagePullSecret:"},
		{"maxUnavailable: 1", "maxUnavailabel: 1"},
		{"podSelector: {}", "podSelektor: {}"},
		{"whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: ScheduleAnyway\n          matchLabelKeys: [pod-template-hash]"}, // 1.25
		{"minReadySeconds: 5", "minReadySeconds: 5\n  minReadySeconds: 6"},
	} {
		broken := strings.Replace(string(text), wrong[0], wrong[1], 1)
		if broken == string(text) {
			t.Errorf("%q is not in the file any more", wrong[0])
		} else if _, err := Parse([]byte(broken)); err == nil {
			t.Errorf("%q was taken", wrong[1])
		}
	}
}

// TestNamespace: what the objects are applied to decides, and nothing reaches
// beyond it (all kinds the gate can decode at all are checked here).
func TestNamespace(t *testing.T) {
	namespaced := []string{
		"Service", "Deployment", "StatefulSet", "Secret", "ConfigMap",
		"PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy",
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^\s*namespace:|\.svc\b`).Match(text) {
		t.Error("it names a namespace")
	}
	for _, o := range load(t).Objects {
		if kind := o.GetObjectKind().GroupVersionKind().Kind; !slices.Contains(namespaced, kind) {
			t.Errorf("%s %s needs rights over the whole cluster", kind, o.GetName())
		}
		if o.GetNamespace() != "" {
			t.Errorf("%s has namespace %s", o.GetName(), o.GetNamespace())
		}
	}
}

func TestImages(t *testing.T) {
	used := map[string]bool{}
	for _, w := range load(t).Workloads() {
		if !slices.Contains(w.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "regcred"}) {
			t.Errorf("%s: no imagePullSecrets regcred", w.Name())
		}
		for _, c := range containers(w) {
			rest, ours := strings.CutPrefix(c.Image, registry)
			name, tag, tagged := strings.Cut(rest, ":")
			if !ours || !tagged || strings.Contains(name, "/") {
				t.Errorf("%s: image %s is not %sNAME:TAG", w.Name(), c.Image, registry)
				continue
			}
			used[name] = true
			if want, is := official[name]; is && tag != want {
				t.Errorf("%s: tag of %s is %s, not %s", w.Name(), name, tag, want)
			} else if !is && tag != "latest" {
				t.Errorf("%s: image %s is built as latest", w.Name(), c.Image)
			}
		}
	}
	folders, err := filepath.Glob(root + "/images/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		name := filepath.Base(f)
		if _, err := os.Stat(f + "/Dockerfile"); err != nil {
			t.Error(err)
		}
		if !used[name] {
			t.Errorf("images/%s is not in the manifest", name)
		}
		delete(used, name)
	}
	for name := range used {
		if official[name] == "" {
			t.Errorf("image %s has no folder in images/", name)
		}
	}
}

// TestPodSecurity asks the code that a cluster's admission runs.
func TestPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, w := range load(t).Workloads() {
		if r := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &w.Pod.ObjectMeta, &w.Pod.Spec)); !r.Allowed {
			t.Errorf("%s: %s", w.Name(), r.ForbiddenDetail())
		}
		for _, c := range containers(w) {
			if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s: %s can write to its image", w.Name(), c.Name)
			}
		}
		if w.Pod.Spec.AutomountServiceAccountToken == nil || *w.Pod.Spec.AutomountServiceAccountToken {
			t.Errorf("%s has a token of the API server", w.Name())
		}
		// By number: an image whose user is a name would not start.
		if s := w.Pod.Spec.SecurityContext; s == nil || s.RunAsUser == nil {
			t.Errorf("%s has no runAsUser", w.Name())
		}
	}
}

func TestResourcesAndProbes(t *testing.T) {
	m := load(t)
	cpu, memory := resource.Quantity{}, resource.Quantity{}
	for _, w := range m.Workloads() {
		for _, c := range containers(w) {
			for _, of := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
				request, limit := c.Resources.Requests[of], c.Resources.Limits[of]
				if request.IsZero() || limit.Cmp(request) < 0 {
					t.Errorf("%s: %s asks for %s %s of at most %s", w.Name(), c.Name, request.String(), of, limit.String())
				}
			}
		}
		for range w.Replicas + w.Surge {
			cpu.Add(podRequest(w, corev1.ResourceCPU))
			memory.Add(podRequest(w, corev1.ResourceMemory))
		}
		for _, c := range w.Pod.Spec.Containers {
			if c.ReadinessProbe == nil || c.LivenessProbe == nil {
				t.Errorf("%s: %s has not both probes", w.Name(), c.Name)
				continue
			}
			for _, p := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe, c.StartupProbe} {
				if p != nil && !probePort(c, p) {
					t.Errorf("%s: %s: a probe asks a port that it does not have", w.Name(), c.Name)
				}
			}
		}
	}
	if cpu.Cmp(resource.MustParse(mostCPU)) > 0 || memory.Cmp(resource.MustParse(mostMemory)) > 0 {
		t.Errorf("all pods ask for %s CPU and %s, at most %s and %s are allowed", cpu.String(), memory.String(), mostCPU, mostMemory)
	}
	t.Logf("all pods, those of an update included, ask for %s CPU and %d MiB", cpu.String(), memory.Value()>>20)
}

// podRequest is what the scheduler counts: all containers, or one init container
// that asks for more.
func podRequest(w Workload, of corev1.ResourceName) resource.Quantity {
	sum := resource.Quantity{}
	for _, c := range w.Pod.Spec.Containers {
		sum.Add(c.Resources.Requests[of])
	}
	for _, c := range w.Pod.Spec.InitContainers {
		if r := c.Resources.Requests[of]; r.Cmp(sum) > 0 {
			sum = r
		}
	}
	return sum
}

// TestUpdateNeedsNoRoom: an update ends also where no pod fits beside those that
// run: some old one may go first.
func TestUpdateNeedsNoRoom(t *testing.T) {
	for _, w := range load(t).Workloads() {
		if w.Kind == "Deployment" && w.Unavailable < 1 {
			t.Errorf("%s: with maxUnavailable 0 of %d an update waits for room, for ever if need be", w.Name(), w.Replicas)
		}
		if w.Unavailable == w.Replicas && w.Replicas > 1 {
			t.Errorf("%s: an update takes all pods at once", w.Name())
		}
	}
}

// TestGracePeriod: what a chat pod does before it ends fits into its time.
func TestGracePeriod(t *testing.T) {
	help, err := os.ReadFile(root + "/images/chat/cmd/chat/config.go")
	if err != nil {
		t.Fatal(err)
	}
	seconds := int64(5) // requests under way: shutdownWait in main.go
	for _, setting := range []string{"drain-settle", "drain-spread", "drain-leave"} {
		found := regexp.MustCompile(`"` + setting + `".*, (\d+)\*time.Second\)`).FindSubmatch(help)
		if found == nil {
			t.Fatalf("config.go has no default of %s", setting)
		}
		var n int64
		if _, err := fmt.Sscan(string(found[1]), &n); err != nil {
			t.Fatal(err)
		}
		seconds += n
	}
	for _, w := range load(t).Workloads() {
		if grace := w.Pod.Spec.TerminationGracePeriodSeconds; w.Meta.Name == "chat" && (grace == nil || *grace < seconds+5) {
			t.Errorf("draining takes %d s, and it has %v", seconds, grace)
		}
	}
}

func TestNodePorts(t *testing.T) {
	want := map[int32]string{30222: "chat", 30223: "locust-master"}
	for _, s := range all[*corev1.Service](load(t)) {
		for _, p := range s.Spec.Ports {
			if p.NodePort == 0 {
				continue
			}
			if s.Spec.Selector["app"] != want[p.NodePort] {
				t.Errorf("node port %d leads to %v", p.NodePort, s.Spec.Selector)
			}
			delete(want, p.NodePort)
		}
	}
	if len(want) > 0 {
		t.Errorf("no Service has the node ports %v", want)
	}
}

// TestReferences: selectors find pods, names lead to objects, ports have names
// that the pods know.
func TestReferences(t *testing.T) {
	m := load(t)
	workloads := m.Workloads()
	selected := func(what string, selector labels.Selector) []Workload {
		var found []Workload
		for _, w := range workloads {
			if selector.Matches(labels.Set(w.Pod.Labels)) {
				found = append(found, w)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s selects no pods", what)
		}
		return found
	}
	chosen := func(what string, s *metav1.LabelSelector) []Workload {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return selected(what, selector)
	}
	for _, w := range workloads {
		if found := chosen(w.Name(), w.Selector); len(found) != 1 || found[0].Name() != w.Name() {
			t.Errorf("%s selects other pods than its own", w.Name())
		}
		for _, s := range w.Pod.Spec.TopologySpreadConstraints {
			chosen(w.Name()+" spread", s.LabelSelector)
			if s.WhenUnsatisfiable != corev1.ScheduleAnyway {
				t.Errorf("%s would not start on one node", w.Name())
			}
		}
		if a := w.Pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
			t.Errorf("%s would not start on one node", w.Name())
		}
		mounts(t, m, w)
	}
	for _, s := range all[*corev1.Service](m) {
		for _, w := range selected("Service "+s.Name, labels.SelectorFromSet(s.Spec.Selector)) {
			for _, p := range s.Spec.Ports {
				if !hasPort(w, p.TargetPort) {
					t.Errorf("Service %s: %s has no port %s", s.Name, w.Name(), p.TargetPort.String())
				}
			}
		}
	}
	for _, b := range all[*policyv1.PodDisruptionBudget](m) {
		for _, w := range chosen("PodDisruptionBudget "+b.Name, b.Spec.Selector) {
			if w.Replicas < 2 {
				t.Errorf("PodDisruptionBudget %s: a node with the one pod of %s could never be drained", b.Name, w.Name())
			}
		}
	}
	for _, h := range all[*autoscalingv2.HorizontalPodAutoscaler](m) {
		if !slices.ContainsFunc(workloads, func(w Workload) bool {
			return w.Kind == h.Spec.ScaleTargetRef.Kind && w.Meta.Name == h.Spec.ScaleTargetRef.Name
		}) {
			t.Errorf("HorizontalPodAutoscaler %s scales nothing", h.Name)
		}
	}
	var denied bool
	for _, p := range all[*networkingv1.NetworkPolicy](m) {
		if len(p.Spec.PodSelector.MatchLabels) == 0 && len(p.Spec.Ingress) == 0 && len(p.Spec.Egress) == 0 && len(p.Spec.PolicyTypes) == 2 {
			denied = true
		}
		to := chosen("NetworkPolicy "+p.Name, &p.Spec.PodSelector)
		for _, in := range p.Spec.Ingress {
			peers(t, p.Name, in.From, chosen)
			policyPorts(t, p.Name, in.Ports, to)
		}
		for _, out := range p.Spec.Egress {
			policyPorts(t, p.Name, out.Ports, peers(t, p.Name, out.To, chosen))
		}
	}
	if !denied {
		t.Error("no NetworkPolicy denies what the others do not allow")
	}
}

func peers(t *testing.T, name string, peers []networkingv1.NetworkPolicyPeer, chosen func(string, *metav1.LabelSelector) []Workload) []Workload {
	var found []Workload
	for _, p := range peers {
		if p.PodSelector == nil || p.NamespaceSelector != nil || p.IPBlock != nil {
			t.Errorf("NetworkPolicy %s reaches beyond the application", name)
			continue
		}
		found = append(found, chosen("NetworkPolicy "+name, p.PodSelector)...)
	}
	return found
}

func policyPorts(t *testing.T, name string, ports []networkingv1.NetworkPolicyPort, to []Workload) {
	if len(ports) == 0 {
		t.Errorf("NetworkPolicy %s opens all ports", name)
	}
	for _, p := range ports {
		for _, w := range to {
			if p.Port == nil || !hasPort(w, *p.Port) {
				t.Errorf("NetworkPolicy %s: %s has no port %v", name, w.Name(), p.Port)
			}
		}
	}
}

// mounts checks what a pod takes from elsewhere: volumes, ConfigMaps, Secrets.
func mounts(t *testing.T, m *Manifest, w Workload) {
	maps, secrets := map[string]*corev1.ConfigMap{}, map[string]*corev1.Secret{}
	for _, c := range all[*corev1.ConfigMap](m) {
		maps[c.Name] = c
	}
	for _, s := range all[*corev1.Secret](m) {
		secrets[s.Name] = s
	}
	volumes := map[string]bool{}
	for _, v := range w.Pod.Spec.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && maps[v.ConfigMap.Name] == nil {
			t.Errorf("%s: there is no ConfigMap %s", w.Name(), v.ConfigMap.Name)
		}
		if v.Secret != nil && secrets[v.Secret.SecretName] == nil {
			t.Errorf("%s: there is no Secret %s", w.Name(), v.Secret.SecretName)
		}
	}
	for _, c := range w.Claims {
		volumes[c.Name] = true
	}
	for _, c := range containers(w) {
		for _, v := range c.VolumeMounts {
			if !volumes[v.Name] {
				t.Errorf("%s: %s mounts %s, which is no volume", w.Name(), c.Name, v.Name)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
				continue
			}
			ref := e.ValueFrom.SecretKeyRef
			if s := secrets[ref.Name]; s == nil {
				if ref.Optional != nil && *ref.Optional {
					continue // the operator may make it
				}
				t.Errorf("%s: there is no Secret %s", w.Name(), ref.Name)
			} else if _, ok := s.StringData[ref.Key]; !ok && (ref.Optional == nil || !*ref.Optional) {
				t.Errorf("%s: Secret %s has no %s", w.Name(), ref.Name, ref.Key)
			}
		}
	}
}

// TestNoPrograms: what runs is in the images, where it has tests; not in the
// manifest.
func TestNoPrograms(t *testing.T) {
	m := load(t)
	for _, c := range all[*corev1.ConfigMap](m) {
		for name, text := range c.Data {
			if strings.HasSuffix(name, ".sh") || strings.HasPrefix(text, "#!") {
				t.Errorf("ConfigMap %s holds the program %s", c.Name, name)
			}
		}
	}
}

// TestRedisNodes: the nodes of the set are the pods of the StatefulSet, by the
// names that its Service gives them.
func TestRedisNodes(t *testing.T) {
	for _, w := range load(t).Workloads() {
		if w.Kind != "StatefulSet" {
			continue
		}
		var want []string
		for n := range w.Replicas {
			want = append(want, fmt.Sprintf("%s-%d.%s", w.Meta.Name, n, w.Service))
		}
		for _, c := range w.Pod.Spec.Containers {
			at := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "REDIS_NODES" })
			if at < 0 || c.Env[at].Value != strings.Join(want, ",") {
				t.Errorf("%s: REDIS_NODES of %s should be %s", w.Name(), c.Name, strings.Join(want, ","))
			}
		}
	}
}

// TestPublicPasswords: the Secret whose passwords everybody can read is marked,
// so that it can be left out (kubectl apply -l 'passwords!=public').
func TestPublicPasswords(t *testing.T) {
	for _, s := range all[*corev1.Secret](load(t)) {
		if s.Labels["passwords"] != "public" {
			t.Errorf("Secret %s is not marked", s.Name)
		}
	}
}

// TestKubeScore: no critical and no warning beside what is ignored in the file,
// where the reason stands.
func TestKubeScore(t *testing.T) {
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	score := exec.Command("go", "run", "github.com/zegl/kube-score/cmd/kube-score@v1.20.0", "score", "--output-format", "json", "--kubernetes-version", "v1.24", path)
	score.Dir = t.TempDir() // outside any module
	out, err := score.Output()
	var objects []struct {
		Name   string `json:"object_name"`
		Checks []struct {
			Check    struct{ ID string }
			Grade    int
			Skipped  bool
			Comments []struct{ Summary, Description, Path string }
		}
	}
	if json.Unmarshal(out, &objects) != nil || len(objects) < len(load(t).Workloads()) {
		t.Fatalf("kube-score: %v\n%s", err, out)
	}
	const almostOK = 7 // and warning is 5, critical 1
	for _, o := range objects {
		for _, c := range o.Checks {
			if !c.Skipped && c.Grade < almostOK {
				t.Errorf("%s: %s: %v", o.Name, c.Check.ID, c.Comments)
			}
		}
	}
	// Each ignore has its reason on the lines before it.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for n, line := range lines {
		if strings.Contains(line, "kube-score/ignore:") && !strings.HasPrefix(strings.TrimSpace(lines[n-1]), "#") {
			t.Errorf("line %d ignores without a reason", n+1)
		}
	}
}

func containers(w Workload) []corev1.Container {
	return slices.Concat(w.Pod.Spec.InitContainers, w.Pod.Spec.Containers)
}

func hasPort(w Workload, port intstr.IntOrString) bool {
	return slices.ContainsFunc(containers(w), func(c corev1.Container) bool { return containerPort(c, port) })
}

func containerPort(c corev1.Container, port intstr.IntOrString) bool {
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
		return port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.ContainerPort == port.IntVal
	})
}

func probePort(c corev1.Container, p *corev1.Probe) bool {
	switch {
	case p.HTTPGet != nil:
		return containerPort(c, p.HTTPGet.Port)
	case p.TCPSocket != nil:
		return containerPort(c, p.TCPSocket.Port)
	}
	return p.Exec != nil
}
