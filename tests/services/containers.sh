# Sourced by the container services: an image, and a network that disturbs nobody's.

# start_apart NAME USER COMMAND…: `start`, in a network of its own. The bridges and packet filter rules of an engine that
# the machine has already are safe then, and gone when the daemon is. Containers reach nothing outside; they need nothing.
start_apart() {
  apart=$1 owner=$2
  shift 2
  start "$apart" "$owner" unshare --net sh -c 'busybox ip link set lo up && exec "$@"' sh "$@"
}

# The root file system of a two-megabyte image with a shell.

# busybox_root: as a tar stream
busybox_root() {
  root=$(mktemp -d)
  mkdir -p "$root/bin" "$root/etc" "$root/root"
  mkdir -m 1777 "$root/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
  echo root:x:0: >"$root/etc/group"
  tar -C "$root" --owner=0 --group=0 -c .
  rm -r "$root"
}
