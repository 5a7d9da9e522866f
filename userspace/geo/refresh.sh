#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fetch the newest country database from npm, repack it, and note what it
# is in NOTICE. Usage: userspace/geo/refresh.sh [FILE.tgz]
# With an argument, a package downloaded earlier is used instead. The same
# package gives the same bytes with the same Go release.
set -eu

package=@ip-location-db/geo-whois-asn-country-mmdb
geo=$(cd "$(dirname "$0")" && pwd)
table=$geo/countrydb/countries.bin.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -gt 0 ]; then
    tarball=$1
else
    tarball=$work/$(cd "$work" && npm pack --silent "$package")
fi
tar -xzf "$tarball" -C "$work"
mmdb=$work/package/geo-whois-asn-country.mmdb

# The right to pass the data on hangs on these two texts. If either
# changes, somebody has to read them before the data is taken.
grep -q '"license": "CC0-1.0"' "$work/package/package.json" &&
    grep -q 'Creative Commons Attribution 4.0 International License' "$work/package/NRO_LICENSE" || {
    echo "refresh: the package's licence has changed; read it and NOTICE first" >&2
    exit 1
}

cd "$geo/../.."
go run ./userspace/geo/countrydb/pack -old "$table" -o "$work/table" "$mmdb" >"$work/said" || {
    cat "$work/said"
    exit 1
}
cat "$work/said"

version=$(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' "$work/package/package.json")
built=$(sed -n 's/^new: \([0-9-]*\),.*/\1/p' "$work/said")
sum=$(sha256sum "$mmdb" | cut -d' ' -f1)
sed -e "s/^Version:.*/Version:  $version/" \
    -e "s/^Built:.*/Built:    $built/" \
    -e "s/^SHA-256:.*/SHA-256:  $sum (geo-whois-asn-country.mmdb)/" \
    "$geo/NOTICE" >"$work/NOTICE"

# Both or neither, as far as two renames can be.
cp "$work/table" "$table.new"
cp "$work/NOTICE" "$geo/NOTICE.new"
mv "$table.new" "$table"
mv "$geo/NOTICE.new" "$geo/NOTICE"
echo "refresh: wrote $table and NOTICE"
