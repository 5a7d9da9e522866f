// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protect opens state and protects one end of a fresh link.
func protect(t *testing.T) (*Kernel, Interface) {
	t.Helper()
	enterNetns(t)
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0"}); err != nil {
		t.Fatal(err)
	}
	k, err := Open(Options{Dir: bpfDir(t), Settings: defaults()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(false); err != nil {
			t.Error(err)
		}
	})
	iface, err := k.Attach("eth0", AttachOptions{Hook: HookGeneric})
	if err != nil {
		t.Fatal(err)
	}
	return k, iface
}

func wantProblem(t *testing.T, s *State, name, problem string) {
	t.Helper()
	got, err := s.Protections()
	if err != nil || len(got) != 1 || got[0].Name != name || got[0].Problem != problem {
		t.Errorf("Protections = %+v, %v, want %q with problem %q", got, err, name, problem)
	}
}

func TestProtections(t *testing.T) {
	k, iface := protect(t)
	wantProblem(t, k.State, "eth0", "")

	link, err := netlink.LinkByIndex(iface.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetName(link, "wan0"); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, k.State, "wan0", "")

	if err := os.Remove(k.linkPin(iface.Index)); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, k.State, "wan0", "its link is gone")
	if err := k.attached[iface.Index].link.Pin(k.linkPin(iface.Index)); err != nil {
		t.Fatal(err)
	}

	if err := netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, k.State, "eth0", "the interface is gone")
}

func TestProtectionsDetached(t *testing.T) {
	k, iface := protect(t)
	if err := detachLink(k.attached[iface.Index].link); err != nil {
		t.Fatal(err)
	}
	got, err := k.Protections()
	if err != nil || len(got) != 1 || got[0].Problem == "" {
		t.Errorf("Protections with the program off = %+v, %v, want a problem", got, err)
	}
}

func TestProtectionsElsewhere(t *testing.T) {
	k, _ := protect(t)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Protections(); !errors.Is(err, ErrOtherNetns) {
		t.Errorf("Protections from another namespace = %+v, %v, want ErrOtherNetns", got, err)
	}
}

func TestProtectedAddrs(t *testing.T) {
	k, _ := protect(t)
	want := []netip.Addr{netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1")}
	zoned := append(slices.Clone(want[:2]), netip.MustParseAddr("fe80::1%2"))
	if err := k.SetHost(Host{Protected: zoned}); err != nil {
		t.Fatal(err)
	}
	got, err := k.ProtectedAddrs()
	slices.SortFunc(got, netip.Addr.Compare)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ProtectedAddrs = %v, %v, want %v", got, err, want)
	}
}
