#!/bin/sh
# Installs one file by renaming a complete copy into its place: a program that runs from there goes on with the old one,
# and nobody ever sees half of the new one. Usage: replace.sh MODE FROM TO
set -u
mode=$1 from=$2 to=$3
trap 'rm -f "$to.new"' EXIT
install -m "$mode" "$from" "$to.new" && mv -f "$to.new" "$to"
