// SPDX-License-Identifier: MIT

// Package integrations holds the configurations of neighbouring tools; its
// tests read them as those tools would and hold them against real lines of
// the event log. The lab (testenv) runs the ones whose tools it has.
package integrations

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"denmap/userspace/config"
	"denmap/userspace/metrics"
)

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// mustYAML decodes a file as a YAML library of any tool would.
func mustYAML(t *testing.T, path string, value any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(mustRead(t, path)), value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// lines are the log's sample lines, one of each kind.
func lines(t *testing.T) []string {
	t.Helper()
	found := strings.Split(strings.TrimSpace(mustRead(t, "../../userspace/eventlog/testdata/events.json")), "\n")
	if len(found) < 10 {
		t.Fatalf("%d sample lines", len(found))
	}
	return found
}

// field returns what stands at a path of an event, in the way of Wazuh's
// JSON decoder: nested names are joined by dots.
func field(t *testing.T, line, path string) (string, bool) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(line), &value); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return "", false
		}
		if value, ok = object[name]; !ok {
			return "", false
		}
	}
	return fmt.Sprint(value), true
}

func TestFilebeat(t *testing.T) {
	var beat struct {
		Inputs []struct {
			Type, ID string
			Paths    []string
			Parsers  []map[string]struct {
				Target        string
				OverwriteKeys bool `yaml:"overwrite_keys"`
			}
		} `yaml:"filebeat.inputs"`
	}
	mustYAML(t, "filebeat/filebeat.yml", &beat)
	input := beat.Inputs[0]
	if input.Type != "filestream" || input.ID == "" || !slices.Equal(input.Paths, []string{config.Default().Log.Path}) {
		t.Errorf("input %+v", input)
	}
	// At the top of the document and over Filebeat's own fields, ECS stays ECS.
	if parser, ok := input.Parsers[0]["ndjson"]; !ok || parser.Target != "" || !parser.OverwriteKeys {
		t.Errorf("parsers %+v", input.Parsers)
	}
	for _, line := range lines(t) {
		stamp, _ := field(t, line, "@timestamp")
		// The layout that every version of the ndjson parser takes a time in.
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", stamp); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestVector(t *testing.T) {
	var vector struct {
		Sources map[string]struct {
			Type    string
			Include []string
			Max     int `yaml:"max_line_bytes"`
		}
		Transforms map[string]struct {
			Type, Source string
			Inputs       []string
		}
		Sinks map[string]struct {
			Type   string
			Inputs []string
		}
	}
	mustYAML(t, "vector/vector.yaml", &vector)
	source := vector.Sources["denmap_log"]
	if source.Type != "file" || !slices.Equal(source.Include, []string{config.Default().Log.Path}) {
		t.Errorf("source %+v", source)
	}
	transform := vector.Transforms["denmap_events"]
	if !slices.Equal(transform.Inputs, []string{"denmap_log"}) || !slices.Equal(vector.Sinks["elastic"].Inputs, []string{"denmap_events"}) {
		t.Errorf("not one pipe: %+v", vector)
	}
	if !strings.Contains(transform.Source, `parse_json!(string!(.message))`) || !strings.Contains(transform.Source, `del(."@timestamp")`) {
		t.Errorf("transform %q", transform.Source)
	}
	for _, line := range lines(t) {
		if len(line) > source.Max {
			t.Errorf("a line of %d bytes; Vector drops what is longer than %d", len(line), source.Max)
		}
	}
}

// rule is one of Wazuh's.
type rule struct {
	ID     int    `xml:"id,attr"`
	Level  int    `xml:"level,attr"`
	Parent int    `xml:"if_sid"`
	Format string `xml:"decoded_as"`
	Fields []struct {
		Name    string `xml:"name,attr"`
		Pattern string `xml:",chardata"`
	} `xml:"field"`
	Description string `xml:"description"`
}

func (r rule) matches(t *testing.T, line string) bool {
	for _, f := range r.Fields {
		value, ok := field(t, line, f.Name)
		if !ok || !regexp.MustCompile(f.Pattern).MatchString(value) {
			return false
		}
	}
	return true
}

// TestWazuh evaluates the rules as the manager does: down the tree of
// if_sid, and the last one that matches counts.
func TestWazuh(t *testing.T) {
	var agent struct {
		Files []struct {
			Format   string `xml:"log_format"`
			Location string `xml:"location"`
		} `xml:"localfile"`
	}
	if err := xml.Unmarshal([]byte(mustRead(t, "wazuh/ossec.conf")), &agent); err != nil {
		t.Fatal(err)
	}
	if len(agent.Files) != 1 || agent.Files[0].Format != "json" || agent.Files[0].Location != config.Default().Log.Path {
		t.Errorf("agent %+v", agent)
	}
	var group struct {
		Rules []rule `xml:"rule"`
	}
	if err := xml.Unmarshal([]byte(mustRead(t, "wazuh/denmap_rules.xml")), &group); err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for _, line := range lines(t) {
		fired := rule{}
		for _, r := range group.Rules {
			if r.Parent == fired.ID && r.matches(t, line) {
				fired, used[r.ID] = r, true
			}
		}
		action, _ := field(t, line, "event.action")
		grade, _ := field(t, line, "denmap.grade")
		want := map[string]int{"scan-detected": 5, "source-banned": 8, "events-lost": 12, "detached": 12}[action]
		if action == "source-banned" && grade == "proven" {
			want = 10
		}
		if fired.ID == 0 || fired.Level != want {
			t.Errorf("%s %s: rule %d of level %d, want level %d", action, grade, fired.ID, fired.Level, want)
		}
		if len(line) > 65535 {
			t.Errorf("a line of %d bytes, more than Wazuh's agent sends", len(line))
		}
	}
	for _, r := range group.Rules {
		if !used[r.ID] {
			t.Errorf("no sample line fires rule %d", r.ID)
		}
		if r.Parent == 0 && r.Format != "json" {
			t.Errorf("rule %d is for %q", r.ID, r.Format)
		}
	}
}

// TestAlertRules holds the metrics that the rules name against those that
// there are; promtool tests the rest in the lab.
func TestAlertRules(t *testing.T) {
	m := metrics.New(metrics.Options{
		Packets:    func() ([]metrics.Packets, error) { return []metrics.Packets{{Verdict: "lost", Reason: "event"}}, nil },
		Tables:     func() ([]metrics.Table, error) { return []metrics.Table{{Name: "sources"}}, nil },
		Interfaces: func() ([]metrics.Interface, error) { return []metrics.Interface{{Name: "eth0"}}, nil },
		MailQueue:  func() int { return 0 },
	})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	mustYAML(t, "prometheus/denmap.rules.yml", &rules)
	named := regexp.MustCompile(`denmap_\w+`)
	tests := mustRead(t, "prometheus/denmap.rules.test.yml")
	for _, r := range rules.Groups[0].Rules {
		for _, name := range named.FindAllString(r.Expr, -1) {
			if !strings.Contains(w.Body.String(), "# TYPE "+name+" ") {
				t.Errorf("%s asks for %s, which does not exist", r.Alert, name)
			}
		}
		if strings.Count(tests, "alertname: "+r.Alert) != 2 {
			t.Errorf("%s has not one test that it fires and one that it is silent", r.Alert)
		}
	}
}
