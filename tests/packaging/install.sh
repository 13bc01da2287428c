#!/bin/sh
# install.sh SOURCE BUILD - installs into an empty place and then is a stranger there: every example is built by
# pkg-config (and run) and by CMake against what was installed, and the program starts from it.
set -eu
source=$1 build=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root/stage cmake --install "$build" --prefix /usr >"$root/install.log"
stage=$root/stage/usr
libdir=$(dirname "$(find "$stage" -name libpeerline.so)")

export PKG_CONFIG_PATH="$libdir/pkgconfig"
export LD_LIBRARY_PATH="$libdir"
[ "$(pkg-config --modversion peerline)" = "$(sed -n 's/^project(peerline VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")" ]
modules=peerline
for module in peerline-media peerline-signal; do
    if [ -e "$libdir/lib$module.so" ]; then
        modules="$modules $module"
    fi
done

built=0
for example in "$source"/examples/*.c; do
    # shellcheck disable=SC2046,SC2086 # words
    cc -std=c11 -Wall -Wextra -Werror "$example" -o "$root/example" $(pkg-config --cflags --libs $modules)
    timeout 30 "$root/example" >/dev/null
    built=$((built + 1))
done
[ "$built" -gt 0 ] || { echo "install: there are no examples"; exit 1; }

# A program of three lines, to see that the library also runs, shared and static.
cat >"$root/hello.c" <<'END'
#include <peerline/error.h>
#include <peerline/loop.h>
#include <stdio.h>
int main(void)
{
    pl_loop *loop;
    if (pl_loop_new(&loop, NULL) != PL_OK)
        return 1;
    pl_loop_free(loop);
    puts(pl_err_str(PL_OK));
    return 0;
}
END
# shellcheck disable=SC2046
cc "$root/hello.c" -o "$root/hello" $(pkg-config --cflags --libs peerline)
"$root/hello" >/dev/null
# shellcheck disable=SC2046
cc "$root/hello.c" -o "$root/hello_static" $(pkg-config --cflags peerline) "$libdir/libpeerline.a" \
    $(pkg-config --libs openssl libuv) -pthread -lm
LD_LIBRARY_PATH= "$root/hello_static" >/dev/null

mkdir "$root/consumer"
cat >"$root/consumer/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.22)
project(consumer C)
find_package(peerline 0.1 REQUIRED COMPONENTS peerline)
file(GLOB examples $source/examples/*.c)
foreach(example IN LISTS examples)
  get_filename_component(name \${example} NAME_WE)
  add_executable(\${name} \${example})
  target_link_libraries(\${name} PRIVATE peerline::peerline)
  foreach(part media signal)
    if(TARGET peerline::\${part})
      target_link_libraries(\${name} PRIVATE peerline::\${part})
    endif()
  endforeach()
endforeach()
END
cmake -S "$root/consumer" -B "$root/consumer/build" -DCMAKE_PREFIX_PATH="$stage" >"$root/cmake.log" || { cat "$root/cmake.log"; exit 1; }
cmake --build "$root/consumer/build" >"$root/cmake.log" || { cat "$root/cmake.log"; exit 1; }

if [ -e "$build/peerline" ]; then
    "$stage/bin/peerline" --version | grep -q '^peerline [0-9]'
    man=$(find "$stage" -name 'peerline.1*')
    [ -s "$man" ]
    # the relay's unit runs what was installed, with a configuration it understands
    unit=$stage/lib/systemd/system/peerline-relay.service
    grep -q "^ExecStart=.*/bin/peerline relay --config /etc/peerline/relay.conf$" "$unit"
    grep -q '@[A-Z_]*@' "$unit" && { echo "install: the unit has holes"; exit 1; }
    "$stage/bin/peerline" relay --check --config "$stage/share/peerline/relay/relay.conf.example" >/dev/null
fi
echo "install: $built examples built twice against the installed package"
