#!/bin/sh
# Adds the ws2_32.dll beside this script to a Wine prefix, and takes it out again, losing nothing. For any
# POSIX shell. It does what `ws2 prefix` of the source tree does: the same files, the same record (its format is
# told in tools/ws2lib/prefix_record_text.py, its states in prefix_record.py), so that either undoes or completes
# what the other has begun, whenever that was killed.
#
# What is done at the prefix is done by one command per step, and each step leaves a state that the next verb
# knows. It works in the prefix of whoever runs it, and in no other: so there is nobody to race with.

set -u -f # no word of a record is a pattern
USERS_LC_ALL=${LC_ALL-}
LC_ALL=C # text is bytes
export LC_ALL
unset CDPATH

usage() {
    cat <<END
usage: $0 install|status|remove [PREFIX]

  install   add ws2_32.dll (64-bit, and 32-bit where the prefix has it) with ntke, and switch it on
  status    is it there, is it switched on, and what does a program get
  remove    take it out: the prefix is as before, byte for byte

PREFIX is a folder with system.reg, user.reg and drive_c in it; without one it is \$WINEPREFIX, or ~/.wine.
Programs of that prefix must not be running meanwhile. To ask what a program gets, \`status\` starts the Wine
that is called \$WINE, or \`wine\`.
END
}

# --- What goes where

STATE=.ws2_32
SAVED=$STATE/saved
LIB=$STATE/lib
NEW=.ws2_32-new
UNWRITTEN=$STATE/record.new
SYSTEM32=drive_c/windows/system32
SYSWOW64=drive_c/windows/syswow64

# Every file that is ever replaced, and its name in $SAVED.
FILES="$SYSTEM32/ws2_32.dll $SYSWOW64/ws2_32.dll $SYSTEM32/ntke.dll $SYSTEM32/ntke_unix.dll
    $SYSWOW64/ntke_unix.dll user.reg"
PAIR="x86_64-windows/ntke.dll x86_64-unix/ntke.so" # below $LIB, for WINEDLLPATH
KEY='Software\\Wine\\DllOverrides' # as user.reg spells it
NAME=ws2_32
VALUE=native,builtin

saved_name() {
    case $1 in
    "$SYSTEM32/ws2_32.dll") RESULT=0-ws2_32.dll ;;
    "$SYSWOW64/ws2_32.dll") RESULT=1-ws2_32.dll ;;
    "$SYSTEM32/ntke.dll") RESULT=2-ntke.dll ;;
    "$SYSTEM32/ntke_unix.dll") RESULT=3-ntke_unix.dll ;;
    "$SYSWOW64/ntke_unix.dll") RESULT=4-ntke_unix.dll ;;
    user.reg) RESULT=user.reg ;;
    *) return 1 ;;
    esac
}

is_of_pair() { case $1 in "$LIB/x86_64-windows/ntke.dll" | "$LIB/x86_64-unix/ntke.so") ;; *) return 1 ;; esac }

# --- Talk

say() { printf '%s\n' "setup.sh: $*" >&2; }

# Ends with a message, and with what is left.
die() {
    if [ "$CHANGED" ]; then
        say "$*. What is left is safe, and the next install or remove goes on from there"
    else
        say "$*. Nothing was changed"
    fi
    trap - EXIT
    exit 1
}

CHANGED= # whether the prefix is not as it was found

# Runs what changes the prefix.
change() {
    "$@" || return 1
    CHANGED=1
}

flush_folder_of() { case $1 in */*) flush "${1%/*}" ;; *) flush . ;; esac }
flush() { [ $# = 0 ] || sync -- "$@" 2>/dev/null || sync; } # the files, or everything where sync takes no names

# --- Words of the record: no blank, no byte that is no ASCII

HAS_TO_BE_ESCAPED='*[!!-~]*'

escape() {
    case $1 in
    '') RESULT=- ;;
    -) RESULT=%2D ;;
    *%* | $HAS_TO_BE_ESCAPED)
        RESULT=$(printf %s "$1" | od -An -v -tx1 | awk '
            BEGIN { for (i = 33; i < 127; i++) if (i != 37) plain[sprintf("%02x", i)] = sprintf("%c", i) }
            { for (i = 1; i <= NF; i++) printf "%s", ($i in plain) ? plain[$i] : "%" toupper($i) }') ;;
    *) RESULT=$1 ;;
    esac
}

# To standard output.
unescape() {
    case $1 in
    *%*) printf %s "$1" | awk '
        BEGIN { for (i = 0; i < 256; i++) byte[sprintf("%02X", i)] = i }
        {
            while (at = index($0, "%")) {
                printf "%s%c", substr($0, 1, at - 1), byte[substr($0, at + 1, 2)]
                $0 = substr($0, at + 3)
            }
            printf "%s", $0
        }' ;;
    *) printf %s "$1" ;;
    esac
}

# --- To look at files. Names are relative to the prefix, and its folders were checked.

is_there() { [ -e "$1" ] || [ -h "$1" ]; }
is_file() { [ -f "$1" ] && [ ! -h "$1" ]; }
hash_of() { # FILE
    RESULT=$(sha256sum <"$1") || die "cannot read $1"
    RESULT=${RESULT%% *}
}

# What tells a file from another: its hash, or where a link points, as a word of the record; `-` is nothing,
# and `!` what is no file.
identity() {
    if [ -h "$1" ]; then
        link=$(readlink -n "$1" && echo x) || die "cannot read $1"
        escape "link:${link%x}"
    elif [ -f "$1" ]; then
        hash_of "$1"
    elif [ -e "$1" ]; then
        RESULT=!
    else
        RESULT=-
    fi
}

mode_and_time() { RESULT=$(stat -c '%a %y' "$1") || die "cannot look at $1"; }

# Refuses links in the place of folders: they may lead out of the prefix.
check_folder() {
    if [ -h "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then
        die "$PREFIX/$1 is no folder, and links are not followed there"
    fi
}

check_prefix() {
    for file in system.reg user.reg; do
        is_there "$file" || die "$PREFIX is no Wine prefix: it has no $file"
    done
    for folder in drive_c/windows "$SYSTEM32" "$SYSWOW64" "$STATE" "$SAVED" "$LIB" "$LIB/x86_64-windows" \
        "$LIB/x86_64-unix"; do
        check_folder "$folder"
    done
    [ -d "$SYSTEM32" ] || die "$PREFIX is no Wine prefix: it has no $SYSTEM32"
    for file in system.reg user.reg; do
        [ -f "$file" ] || die "$PREFIX/$file is no file"
    done
    if head -c 4096 system.reg | grep '^#arch=win32' >/dev/null; then
        ARCHES=i386
    elif [ -d "$SYSWOW64" ] && is_there "$SYSWOW64/kernel32.dll"; then
        ARCHES='x86_64 i386'
    else
        ARCHES=x86_64
    fi
}

folder_of() { # ARCH
    case $1$ARCHES in
    i386x86_64*) RESULT=$SYSWOW64 ;;
    *) RESULT=$SYSTEM32 ;;
    esac
}

# --- Whether programs of the prefix are running. Wine names a server's folder after the prefix's device and
# inode; the server holds a lock there, and works there.

find_server() {
    set -- $(stat -c '%d %i' .)
    folder=$(printf 'server-%x-%x' "$1" "$2")
    RESULT=$(set +f && ls -ld /proc/[0-9]*/cwd 2>/dev/null | awk -v folder="/$folder" '
        { sub(/ \(deleted\)$/, "") }
        substr($0, length($0) - length(folder) + 1) == folder {
            for (i = 1; i < NF; i++) if ($i ~ /^\/proc\/[0-9]+\/cwd$/) { split($i, part, "/"); print part[3]; exit }
        }')
    [ "$RESULT" ] && return
    noted=
    is_file wineserver && noted=$(tr -d '\000\n ' <wineserver)
    case $noted in *[!A-Za-z0-9_.-]*) noted= ;; esac
    for lock in "/tmp/.wine-$USER_ID/$folder/lock" ${noted:+"/tmp/$noted/$folder/lock"} "$folder/lock"; do
        is_file "$lock" || continue
        set -- $(stat -c '%d %i' "$lock")
        # Device numbers are laid out as in glibc's makedev().
        place=$(printf '%02x:%02x:%d' $(($1 >> 8 & 0xfff)) $(($1 & 0xff | $1 >> 12 & 0xfff00)) "$2")
        RESULT=$(awk -v place="$place" '$2 == "POSIX" && $6 == place { print $5; exit }' /proc/locks 2>/dev/null)
        [ "$RESULT" ] && return
    done
    return 1
}

refuse_if_in_use() {
    if find_server; then
        die "programs are running in $PREFIX (wineserver is process $RESULT). End them, or" \
            "\`WINEPREFIX='$PREFIX' wineserver -k\`, and try again"
    fi
}

# --- The record. In memory: of file N of $FILES, ORIGINAL_N (empty: not in the record), SAVED_N and OURS_N;
# the lines of edits, pairs and files being kept and replaced.

get() { eval "RESULT=\${$1_$N-}"; }
put() { eval "$1_$N=\$2"; }

number_of() { # FILE
    N=0
    for file in $FILES; do
        [ "$file" = "$1" ] && return
        N=$((N + 1))
    done
    return 1
}

clear_record() {
    for N in 0 1 2 3 4 5; do
        put ORIGINAL '' && put SAVED '' && put OURS ''
    done
    EDITS='' # lines of the record, each with its end
    PAIRS=''
    KEEP='' # names
    REPLACE='' # pairs of a name and an identity
}

damaged() {
    die "$PREFIX/$RECORD is damaged: $*. It is the record of what our DLL replaced; the originals are in" \
        "$PREFIX/$SAVED"
}

check_hash() {
    case $1 in
    *[!0-9a-f]*) damaged "a hash is none" ;;
    esac
    [ ${#1} = 64 ] || damaged "a hash is none"
}

# Reads a record; 1: there is none.
read_record() { # its name
    RECORD=$STATE/$1
    clear_record
    is_there "$RECORD" || return 1
    is_file "$RECORD" || die "$PREFIX/$RECORD is no file"
    awk '
        NR == 1 { good = $0 == "ws2_32 5"; next }
        ended || /^ | $|  |[^ -~]/ { good = 0 }
        { rest = $0; gsub(/%[0-9A-F][0-9A-F]/, "", rest); if (rest ~ /%/) good = 0 }
        $1 == "file" && NF < 4 || $1 == "edit" && NF != 6 || ($1 == "pair" || $1 == "new") && NF != 3 ||
            $1 == "keep" && NF != 2 || $1 !~ /^(file|edit|pair|new|keep|end)$/ { good = 0 }
        $0 == "end" { ended = 1 }
        END { exit !(good && ended) }' "$RECORD" && [ -z "$(tail -c 1 "$RECORD")" ] ||
        damaged "it is not what this version writes"
    kept_names=' '
    while read -r kind first second third rest; do
        case $kind in
        file) read_file "$first" "$second" "$third" "$rest" ;;
        edit)
            case "- $first $second $third" in *' -'\ * | *' -') damaged "an edit is none" ;; esac
            case $rest in *' yes' | *' no') ;; *) damaged "an edit is none" ;; esac
            EDITS="$EDITS$kind $first $second $third $rest
" ;;
        pair)
            is_of_pair "$LIB/$first" || damaged "ntke has no such file"
            check_hash "$second"
            PAIRS="$PAIRS$kind $first $second
" ;;
        keep)
            number_of "$first" && get ORIGINAL && [ "$RESULT" ] || damaged "a file is kept and not replaced"
            KEEP="$KEEP $first" ;;
        new)
            number_of "$first" || is_of_pair "$first" || damaged "a new file is none of ours"
            check_hash "$second"
            REPLACE="$REPLACE $first $second" ;;
        esac
    done <"$RECORD"
}

read_file() { # NAME ORIGINAL SAVED OURS
    number_of "$1" || damaged "$1 is no file that we replace"
    get ORIGINAL
    [ -z "$RESULT" ] || damaged "$1 is there twice"
    saved_name "$1"
    case $3 in
    - | "${RESULT#[0-9]}" | [0-9]"${RESULT#[0-9]}") ;;
    *) damaged "$3 is no name of a saved file" ;;
    esac
    case $2$3 in
    --) ;;
    -* | *-) damaged "$1 is saved, and was not there" ;;
    link:*) ;;
    *) check_hash "$2" ;;
    esac
    case $kept_names in *" $3 "*) damaged "two files are saved under one name" ;; esac
    [ "$3" = - ] || kept_names="$kept_names$3 "
    for hash in $4; do
        check_hash "$hash"
    done
    put ORIGINAL "$2" && put SAVED "$3" && put OURS "$4"
}

record_text() {
    echo 'ws2_32 5'
    for name in $FILES; do
        number_of "$name"
        get ORIGINAL
        [ "$RESULT" ] || continue
        line="file $name $RESULT"
        get SAVED
        line="$line $RESULT"
        get OURS
        printf '%s\n' "$line${RESULT:+ $RESULT}"
    done
    printf %s "$EDITS$PAIRS"
    for name in $KEEP; do
        echo "keep $name"
    done
    set -- $REPLACE
    while [ $# -gt 0 ]; do
        echo "new $1 $2"
        shift 2
    done
    echo end
}

# The identity that a file of the record is replaced by, or nothing.
new_identity() { # NAME
    name=$1
    set -- $REPLACE
    while [ $# -gt 0 ]; do
        RESULT=$2
        [ "$1" = "$name" ] && return
        shift 2
    done
    RESULT=
}

# All names of the record's files, and of those it is replacing.
names_of_record() {
    RESULT=
    for name in $FILES; do
        number_of "$name"
        eval "[ \"\${ORIGINAL_$N}\" ]" && RESULT="$RESULT $name"
    done
    set -- $REPLACE
    while [ $# -gt 0 ]; do
        case "$RESULT " in *" $1 "*) ;; *) RESULT="$RESULT $1" ;; esac
        shift 2
    done
}

reversed() { # WORD...
    RESULT=
    for word; do
        RESULT="$word $RESULT"
    done
}

# Reads everything there is and refuses what is damaged. HAS_STAGING, HAS_INSTALLED, HAS_REMOVING.
check_records() {
    HAS_STAGING= HAS_INSTALLED= HAS_REMOVING=
    [ -d "$STATE" ] || return 0
    for old in manifest.json staging.json removing.json staging.json.new; do
        is_there "$STATE/$old" && die "$PREFIX/$STATE is of an earlier version, whose \`ws2 prefix remove\` takes it" \
            "out, or \`ws2 prefix install\` of this one brings it up to date"
    done
    if is_there "$UNWRITTEN" && ! is_file "$UNWRITTEN"; then
        die "$PREFIX/$UNWRITTEN is no file"
    fi
    read_record staging && HAS_STAGING=1
    read_record installed && HAS_INSTALLED=1
    read_record removing && HAS_REMOVING=1
    if [ "$HAS_REMOVING" ] && [ "$HAS_STAGING$HAS_INSTALLED" ]; then
        damaged "it is there beside another"
    fi
    if [ -z "$HAS_STAGING$HAS_INSTALLED$HAS_REMOVING" ]; then
        strange=$(ls -A "$STATE" | grep -vx record.new)
        [ -z "$strange" ] || die "$PREFIX/$STATE holds $strange and no record of what that is. Move it away" \
            "(an original of a DLL back to where it belongs)"
    fi
}

# Writes the record under which files are staged.
begin() {
    CHANGED=1
    if [ ! -d "$STATE" ]; then
        change mkdir "$STATE" || return 1
    fi
    record_text | create "$UNWRITTEN" '' && flush "$UNWRITTEN" && change mv -f "$UNWRITTEN" "$STATE/staging" && flush "$STATE"
}

advance() { # its names
    change mv -f "$STATE/$1" "$STATE/$2" && flush "$STATE"
}

forget() { # its name
    change rm -f "$STATE/$1" && flush "$STATE" && tidy
}

# Takes away a record that had not even been written, and an empty state folder.
tidy() {
    [ -d "$STATE" ] || return 0
    unlink "$UNWRITTEN" && remove_folder "$STATE"
}

# --- To change files

unlink() {
    if is_there "$1"; then
        change rm -f "$1"
    fi
}

remove_folder() { # if it is empty
    if [ -d "$1" ] && [ -z "$(ls -A "$1")" ]; then
        change rmdir "$1"
    fi
}

make_folder() {
    check_folder "$1"
    if [ ! -d "$1" ]; then
        change mkdir "$1"
    fi
}

# Writes standard input to a new file, with the mode and the owner of another one or of any new file.
create() { # NAME LIKE
    ! is_there "$1" || die "$PREFIX/$1 is in the way"
    CHANGED=1
    if [ "$2" ]; then
        (umask 077 && set -C && cat >"$1") || return 1
        set -- "$1" $(stat -Lc '000%a %u:%g' "$2")
        if [ "$USER_ID" = 0 ]; then
            chown "$3" "$1" || return 1
        fi
        chmod "${2#"${2%???}"}" "$1" || return 1
    else
        (set -C && cat >"$1") || return 1
    fi
}

# A rename. What is in the place of NAME goes, and a link to a folder must not take the file in.
replace() { # FILE NAME
    if [ -h "$2" ] && [ -d "$2" ]; then
        change rm -f "$2" || return 1
    fi
    change mv -f "$1" "$2"
    set -- $? "$2"
    flush_folder_of "$2"
    return "$1"
}

# Makes another name of the very same file or link, else a copy.
link_or_copy() { # FILE NAME
    change ln -P "$1" "$2" 2>/dev/null || copy "$1" "$2"
}

copy() {
    CHANGED=1
    cp -a "$1" "$2" || return 1
    [ -h "$2" ] || flush "$2"
}

in_the_way() {
    die "$PREFIX/$1$NEW is in the way, and not of our making: move it away"
}

unlink_staged() { # NAME...
    reversed "$@"
    for new in $RESULT; do
        unlink "$new$NEW" || return 1
    done
}

remove_empty_folders() {
    for folder in "$LIB/x86_64-windows" "$LIB/x86_64-unix" "$LIB" "$SAVED"; do
        remove_folder "$folder" || return 1
    done
}

# --- The registry, as text. Every byte but those of our value stays.

# Where a value is in a file: SECTION (the line of its key's header, 0: there is none), SECTION_END (the last line
# of the key that is not empty), LINE (0: there is none) and FOUND, the value itself.
find_value() { # FILE KEY NAME
    found=$(section="[$2]" start="\"$3\"=\"" awk '
        BEGIN { section = tolower(ENVIRON["section"]); start = tolower(ENVIRON["start"]) }
        !header && tolower(substr($0, 1, length(section))) == section { header = last = NR; next }
        header && !ended && /^\[/ { ended = 1 }
        header && !ended && $0 != "" { last = NR }
        header && !ended && !line && tolower(substr($0, 1, length(start))) == start {
            rest = substr($0, length(start) + 1)
            if (match(rest, /^([^"\\]|\\.)*"/)) { line = NR; value = substr(rest, 1, RLENGTH - 1) }
        }
        END { print header + 0, last + 0, line + 0, value }' "$1") || die "cannot read $1"
    SECTION=${found%% *} found=${found#* }
    SECTION_END=${found%% *} found=${found#* }
    LINE=${found%% *} FOUND=${found#* }
}

lines_to() { # LINE FILE
    [ "$1" = 0 ] || head -n "$1" "$2"
}

with_end() { # FILE: an end of line, if it does not end with one
    [ -s "$1" ] && [ -z "$(tail -c 1 "$1")" ] || echo
}

# A file with our value in it, to standard output.
with_value() { # FILE
    if [ "$LINE" != 0 ]; then
        lines_to $((LINE - 1)) "$1"
        printf '"%s"="%s"\n' "$NAME" "$VALUE"
        tail -n +$((LINE + 1)) "$1"
    elif [ "$SECTION" != 0 ]; then
        lines_to "$SECTION_END" "$1"
        [ "$(wc -l <"$1")" -ge "$SECTION_END" ] || echo
        printf '"%s"="%s"\n' "$NAME" "$VALUE"
        tail -n +$((SECTION_END + 1)) "$1"
    else
        cat <"$1"
        with_end "$1"
        printf '\n[%s]\n"%s"="%s"\n' "$KEY" "$NAME" "$VALUE"
    fi
}

# The file without a value: what was there instead comes back, and a key that was added and has nothing else goes.
# Fails when any part of it cannot be written: what a full disk cut short is nobody's user.reg.
without_value() { # FILE BEFORE ADDED
    if [ "$3" = yes ] && [ "$2" = - ] && section_is_empty "$1"; then
        rest=$(awk -v end="$SECTION_END" 'NR > end && $0 != "" { print NR; exit }' "$1") || return 1
        if [ "$rest" ]; then
            lines_to $((SECTION - 1)) "$1" && tail -n +"$rest" "$1"
        else
            last=$(awk -v section="$SECTION" 'NR < section && $0 != "" { last = NR } END { print last + 0 }' "$1") ||
                return 1
            if [ "$last" = 0 ]; then
                echo
            else
                lines_to "$last" "$1"
            fi
        fi
    else
        lines_to $((LINE - 1)) "$1" && { [ "$2" = - ] || unescape "$2"; } && tail -n +$((LINE + 1)) "$1"
    fi
}

# Whether nothing but our value is in its key.
section_is_empty() { # FILE
    awk -v first="$SECTION" -v end="$SECTION_END" -v ours="$LINE" '
        NR > first && NR <= end && NR != ours && !/^#/ && !/^[ \t\r\v\f]*$/ { full = 1 }
        END { exit full }' "$1"
}

# --- To look what an install is to do

# Where this script and our files are. (A name may end with an end of line, which $() would take away.)
case $0 in */*) THERE=${0%/*}/ ;; *) THERE=. ;; esac
THERE=$(cd -- "$THERE" && pwd && echo x)
THERE=${THERE%?x}

# The files of ours for this prefix, by SOURCE_OF: all names in the order in which they replace what is there.
make_targets() {
    TARGETS=
    for arch in $ARCHES; do
        folder_of "$arch"
        TARGETS="$TARGETS $RESULT/ws2_32.dll"
    done
    WITH_PAIR=
    [ "$(uname -m)" = x86_64 ] || return 0
    case $ARCHES in
    x86_64*)
        WITH_PAIR=1
        TARGETS="$TARGETS $SYSTEM32/ntke.dll" ;;
    esac
    for arch in $ARCHES; do
        folder_of "$arch"
        TARGETS="$TARGETS $RESULT/ntke_unix.dll"
    done
}

source_of() { # NAME
    case $1 in
    "$LIB/x86_64-unix/ntke.so") RESULT=$THERE/x86_64/ntke_unix.dll ;;
    "$LIB"/*) RESULT=$THERE/x86_64/ntke.dll ;;
    "$SYSWOW64"/*) RESULT=$THERE/i386/${1##*/} ;;
    *) RESULT=$THERE/${ARCHES%% *}/${1##*/} ;;
    esac
}

check_sources() {
    (cd "$THERE" && sha256sum -c SHA256SUMS >/dev/null 2>&1) ||
        die "the files in $THERE are not those that were packed (see SHA256SUMS): unpack the archive anew"
}

# The record in memory becomes that of the new install, and REPLACE says what it replaces. DIFFERENT: the record
# says something new.
plan() {
    KEEP='' REPLACE='' DIFFERENT=''
    if [ "$WITH_PAIR" ]; then
        old_pairs=$PAIRS PAIRS=
        for half in $PAIR; do
            source_of "$LIB/$half"
            hash_of "$RESULT"
            hash=$RESULT
            PAIRS="${PAIRS}pair $half $hash
"
            identity "$LIB/$half"
            [ "$RESULT" = "$hash" ] || REPLACE="$REPLACE $LIB/$half $hash"
        done
        [ "$PAIRS" = "$old_pairs" ] || DIFFERENT=1
    fi
    for name in $TARGETS; do
        plan_file "$name"
    done
    plan_registry
    set -- $REPLACE
    while [ $# -gt 0 ]; do
        is_there "$1$NEW" && in_the_way "$1"
        shift 2
    done
}

changed_since() {
    die "$PREFIX/$1 was changed after our DLL had been installed; \`$0 remove\` first, which leaves that file" \
        "as it is"
}

plan_file() { # NAME
    source_of "$1"
    hash_of "$RESULT"
    hash=$RESULT
    identity "$1"
    current=$RESULT
    [ "$current" != ! ] || die "$PREFIX/$1 is no file"
    number_of "$1"
    get ORIGINAL
    original=$RESULT
    get OURS
    if [ "$original" ] && [ "$current" != - ] && [ "$current" != "$hash" ] && ! is_known "$current"; then
        changed_since "$1"
    fi
    keep_original "$1"
    add_ours "$hash"
    [ "$current" = "$hash" ] || REPLACE="$REPLACE $1 $hash"
}

# Whether a file of the record (number N) is as it was, or ours.
is_known() { # IDENTITY
    get ORIGINAL
    [ "$1" = "$RESULT" ] && return
    get OURS
    case " $RESULT " in *" $1 "*) return ;; esac
    return 1
}

add_ours() { # HASH
    get OURS
    case " $RESULT " in
    *" $1 "*) ;;
    *)
        put OURS "${RESULT:+$RESULT }$1"
        DIFFERENT=1 ;;
    esac
}

# The entry of file N, which is `current`: its original has to be saved, unless it is already, or is none.
keep_original() { # NAME
    get ORIGINAL
    if [ -z "$RESULT" ]; then
        put ORIGINAL "$current" && put SAVED -
        DIFFERENT=1
    elif [ "$current" != "$RESULT" ]; then
        return
    fi
    if [ "$current" = - ] || has_saved; then
        return
    fi
    saved_name "$1"
    put SAVED "$RESULT"
    ! has_saved || die "$PREFIX/$SAVED/$RESULT is in the way, and not of our making: move it away"
    KEEP="$KEEP $1"
    DIFFERENT=1
}

# Whether the original of file N is still among the saved files.
has_saved() {
    get SAVED
    [ "$RESULT" ] && [ "$RESULT" != - ] && is_there "$SAVED/$RESULT"
}

plan_registry() {
    find_value user.reg "$KEY" "$NAME"
    [ "$LINE" = 0 ] || [ "$FOUND" != "$VALUE" ] || return 0 # set by us before, or by the user
    identity user.reg
    current=$RESULT
    number_of user.reg
    get ORIGINAL
    original=$RESULT
    if [ "$original" ] && [ "$current" != "$original" ]; then
        case $current in link:*) changed_since user.reg ;; esac
    fi
    # The original may only come back whole if nothing but our values ever differed from it.
    whole=1
    [ -z "$original" ] || is_known "$current" || whole=
    keep_original user.reg
    hash=$(with_value user.reg | sha256sum)
    hash=${hash%% *}
    [ -z "$whole" ] || add_ours "$hash"
    plan_edit
    REPLACE="$REPLACE user.reg $hash"
    DIFFERENT=1
}

# The edit says how our value comes there: what was the line before, and whether its key is new.
plan_edit() {
    added=no
    [ "$SECTION" != 0 ] || added=yes
    before=-
    if [ "$LINE" != 0 ]; then
        before=$(tail -n +"$LINE" user.reg | head -n 1 && echo x)
        escape "${before%x}"
        before=$RESULT
    fi
    escape "$FOUND"
    others=$(printf %s "$EDITS" | grep -vF "edit $KEY $NAME ")
    set -- $(printf %s "$EDITS" | grep -F "edit $KEY $NAME ")
    if [ $# = 6 ]; then # it is not the first time
        [ "$LINE" = 0 ] || [ "$4" != "$RESULT" ] || before=$5
        [ "$6" = no ] || added=yes
    fi
    EDITS="${others:+$others
}edit $KEY $NAME $VALUE $before $added
"
}

# --- To install

carry_out() {
    begin && keep_originals && stage || return 1
    refuse_late
    advance staging installed || return 1
    REPLACING=1
    replace_all
}

# As refuse_if_in_use(), when there is something to undo.
refuse_late() {
    if find_server; then
        undo_staging || die "programs were started in $PREFIX, and what was begun could not be undone"
        CHANGED=
        refuse_if_in_use
    fi
}

keep_originals() {
    for name in $KEEP; do
        make_folder "$SAVED" || return 1
        number_of "$name"
        get SAVED
        link_or_copy "$name" "$SAVED/$RESULT" || return 1
    done
    [ -z "$KEEP" ] || flush "$SAVED"
}

stage() {
    set -- $REPLACE
    staged=
    while [ $# -gt 0 ]; do
        like=$1
        if [ "$1" = user.reg ]; then
            with_value user.reg | create "$1$NEW" user.reg || return 1
        else
            case $1 in
            "$LIB"/*) make_folder "$LIB" && make_folder "${1%/*}" || return 1 ;;
            esac
            is_file "$1" || like=
            case $1 in "$LIB"/*) like= ;; esac
            source_of "$1"
            create "$1$NEW" "$like" <"$RESULT" || return 1
        fi
        identity "$1$NEW" # what a full disk cut short is not to be switched on
        [ "$RESULT" = "$2" ] || return 1
        staged="$staged $1$NEW"
        shift 2
    done
    flush $staged
}

replace_all() {
    set -- $REPLACE
    while [ $# -gt 0 ]; do
        replace "$1$NEW" "$1" || return 1
        shift 2
    done
}

# --- To undo, from whatever point an install or a remove has come to

# Undoes an install that had replaced nothing yet, and completes what had gone further.
recover() {
    if [ "$HAS_STAGING" ]; then
        read_record staging
        undo_staging || die "cannot undo the install that was interrupted"
    fi
    if [ "$HAS_REMOVING" ]; then
        read_record removing
        complete_remove || die "cannot complete the remove that was interrupted"
    else
        tidy || die "cannot tidy $PREFIX/$STATE"
    fi
    if read_record installed; then
        complete_install || die "cannot complete the install that was interrupted"
    fi
}

undo_staging() {
    set -- $REPLACE
    names=
    while [ $# -gt 0 ]; do
        names="$names $1"
        shift 2
    done
    unlink_staged $names || return 1
    reversed $KEEP
    for name in $RESULT; do
        number_of "$name"
        get SAVED
        unlink "$SAVED/$RESULT" || return 1
    done
    remove_empty_folders && forget staging
}

# The files whose new ones an install has left beside them. Refuses what it did not make there.
find_leftovers() {
    LEFTOVERS=
    names_of_record
    for name in $RESULT; do
        is_there "$name$NEW" || continue
        identity "$name$NEW"
        found=$RESULT
        new_identity "$name"
        [ "$found" = "$RESULT" ] || in_the_way "$name"
        LEFTOVERS="$LEFTOVERS $name"
    done
}

complete_install() {
    find_leftovers
    for name in $LEFTOVERS; do
        identity "$name"
        current=$RESULT
        if number_of "$name" && get ORIGINAL && [ "$RESULT" ] && [ "$current" != - ] && ! is_known "$current"; then
            unlink "$name$NEW" || return 1
        else
            replace "$name$NEW" "$name" || return 1
        fi
    done
}

remove_installed() {
    find_leftovers # to refuse before anything is done; bring_back() takes them away
    if ! { advance installed removing && stage_registry; }; then
        unlink "user.reg$NEW"
        if [ -f "$STATE/removing" ] && advance removing installed; then
            CHANGED=
        fi
        die "cannot make room for user.reg without our value"
    fi
    bring_back
}

complete_remove() {
    stage_registry && bring_back
}

bring_back() {
    names_of_record
    all=$RESULT
    reversed $FILES
    for name in $RESULT; do
        number_of "$name"
        get ORIGINAL
        [ "$RESULT" ] || continue
        if [ "$name" = user.reg ]; then
            restore_registry || return 1
        else
            restore "$name" || return 1
        fi
    done
    unlink_staged $all || return 1
    for half in $PAIR; do
        if [ -d "$LIB/${half%/*}" ]; then
            unlink "$LIB/$half" || return 1
        fi
    done
    remove_empty_folders && forget removing || return 1
    [ ! -d "$STATE" ] || say "$PREFIX/$STATE holds files that are not ours, and stays"
}

# Brings the original of file N back, unless the user has put something else in its place.
restore() { # NAME
    identity "$1"
    current=$RESULT
    get ORIGINAL
    original=$RESULT
    kept=
    has_saved && kept=$RESULT
    if [ "$kept" ] && { [ "$current" = - ] || is_known "$current"; }; then
        put_back "$1" "$kept"
    elif [ "$current" = "$original" ]; then
        : # it is back already
    elif [ "$original" = - ] && is_known "$current"; then
        unlink "$1" && flush_folder_of "$1"
    elif [ "$current" = - ] || is_known "$current"; then
        say "what $PREFIX/$1 had replaced is not in $PREFIX/$SAVED any more: it stays as it is"
    else
        say "$PREFIX/$1 was changed after our DLL had been installed: it stays as it is"
        if [ "$kept" ]; then
            keep_aside "$kept"
        fi
    fi
}

put_back() { # NAME, its name in SAVED
    if ! is_untouched "$1" "$2"; then
        unlink "$1$NEW" || return 1
        if change ln -P "$SAVED/$2" "$1$NEW" 2>/dev/null; then
            replace "$1$NEW" "$1" || return 1
        elif [ "$(df -P "$SAVED" | tail -n 1)" = "$(df -P "$(dirname "$1")" | tail -n 1)" ]; then
            replace "$SAVED/$2" "$1" # on one file system a rename, which needs no room
            return
        else
            copy "$SAVED/$2" "$1$NEW" && replace "$1$NEW" "$1" || return 1
        fi
    fi
    unlink "$SAVED/$2"
}

# Whether the original is in its place, and what is saved but a second name or a copy of it.
is_untouched() { # NAME, its name in SAVED
    [ "$current" = "$original" ] || return 1
    mode_and_time "$1"
    seen=$RESULT
    mode_and_time "$SAVED/$2"
    [ "$seen" = "$RESULT" ]
}

# Moves a saved file to where it is the user's own again, next to nothing else of that name.
keep_aside() { # its name in SAVED
    kept_in=$STATE-kept
    count=0
    while is_there "$kept_in" && { [ -h "$kept_in" ] || [ ! -d "$kept_in" ] || is_there "$kept_in/$1"; }; do
        kept_in=$STATE-kept.$count
        count=$((count + 1))
    done
    make_folder "$kept_in" && change mv -f "$SAVED/$1" "$kept_in/$1" && flush "$kept_in" || return 1
    say "what it replaced is kept as $PREFIX/$kept_in/$1"
}

# Whether user.reg is a file that Wine or the user has written to since. Its number is N.
registry_is_edited() {
    identity user.reg
    case $RESULT in - | ! | link:*) return 1 ;; esac
    ! is_known "$RESULT"
}

# When more than our values was changed in user.reg meanwhile, makes a new file of it, without them. Values that
# are neither ours nor what they were before are the user's.
stage_registry() {
    number_of user.reg
    get ORIGINAL
    [ "$RESULT" ] && registry_is_edited || return 0
    unlink "user.reg$NEW" || return 1
    count=$(printf %s "$EDITS" | grep -c .)
    from=user.reg
    scratch=$(mktemp -d) || return 1
    while [ "$count" -gt 0 ]; do # the last first
        if ! undo_edit $(printf %s "$EDITS" | sed -n "${count}p"); then
            rm -rf "$scratch"
            return 1
        fi
        count=$((count - 1))
    done
    if [ "$from" != user.reg ]; then
        create "user.reg$NEW" user.reg <"$from"
    fi
    set -- $?
    rm -rf "$scratch"
    return "$1"
}

# From $from to a new file in $scratch, which is $from then.
undo_edit() { # edit KEY NAME VALUE LINE ADDED
    find_value "$from" "$(unescape "$2")" "$(unescape "$3")"
    escape "$FOUND"
    if [ "$LINE" != 0 ] && [ "$RESULT" = "$4" ]; then
        without_value "$from" "$5" "$6" >"$scratch/$count" || return 1
        from=$scratch/$count
        return
    fi
    before=-
    if [ "$LINE" != 0 ]; then
        before=$(tail -n +"$LINE" "$from" | head -n 1 && echo x)
        escape "${before%x}"
        before=$RESULT
    fi
    if [ "$before" != "$5" ]; then
        say "the value $3 of $2 in $PREFIX/user.reg was changed or taken away meanwhile: it stays as it is"
    fi
}

# Brings the original back, or what stage_registry() made. Its number is N.
restore_registry() {
    if ! registry_is_edited; then
        restore user.reg
        return
    fi
    if is_there "user.reg$NEW"; then
        replace "user.reg$NEW" user.reg || return 1
    fi
    has_saved || return 0
    kept=$RESULT
    get ORIGINAL
    case $RESULT in
    link:*)
        say "$PREFIX/user.reg was a link; it was changed meanwhile, and stays a file"
        keep_aside "$kept" ;;
    *) unlink "$SAVED/$kept" ;;
    esac
}

# --- The verbs

open_prefix() {
    for needed in awk cat chmod chown cp df dirname flock grep head id ln ls mkdir mktemp mv od readlink rm rmdir \
        sed sha256sum stat sync tail tr uname wc; do
        command -v "$needed" >/dev/null || die "the command \`$needed\` is missing here"
    done
    cd -P "$1" 2>/dev/null || die "cannot open $1: it is no folder, or not yours to look into"
    PREFIX=$(pwd -P && echo x)
    PREFIX=${PREFIX%?x}
    set -- $(stat -c '%u %U' .)
    USER_ID=$(id -u)
    if [ "$USER_ID" != "$1" ]; then
        die "$PREFIX belongs to the user $2, and only $2 may change it: run this as $2"
    fi
    check_prefix
}

# Waits for another one that changes something, and to change something for all others; leaves no file.
lock_prefix() { # -s to look only
    exec 9<. || die "cannot lock $PREFIX"
    flock "$@" 9 || die "cannot lock $PREFIX"
}

install_verb() {
    make_targets
    check_sources
    lock_prefix
    refuse_if_in_use
    check_records
    recover
    fresh=1
    read_record installed && fresh=
    plan
    if [ -z "$REPLACE$DIFFERENT" ]; then
        say "it was installed already; nothing to do"
        return
    fi
    REPLACING=
    CHANGED=
    carry_out || undo_install
    say "our ws2_32.dll is in $PREFIX; \`$0 remove '$PREFIX'\` takes it out"
}

# After something has failed. With nothing installed before, nothing is to be left.
undo_install() {
    check_records
    if [ -z "$REPLACING" ]; then
        if [ "$HAS_STAGING" ]; then
            read_record staging
            undo_staging || die "cannot install, nor undo what was begun"
        else
            tidy || die "cannot install, nor undo what was begun"
        fi
        CHANGED=
    elif [ "$fresh" ] && read_record installed; then
        remove_installed && CHANGED=
    fi
    die "cannot install: there is no room on the disk, or it cannot be written to"
}

remove_verb() {
    lock_prefix
    check_records
    [ -z "$HAS_STAGING$HAS_INSTALLED$HAS_REMOVING" ] || refuse_if_in_use
    began=
    [ ! -d "$STATE" ] || began=1
    recover
    if read_record installed; then
        remove_installed || die "cannot remove"
    elif [ -z "$HAS_REMOVING" ]; then
        if [ "$began" ]; then
            say "an install that had been interrupted has left no trace now"
        else
            say "our DLL is not in $PREFIX; nothing to do"
        fi
        return
    fi
    say "our ws2_32.dll is not in $PREFIX any more"
}

status_verb() {
    lock_prefix -s # half of what another one is just doing looks like damage
    check_records
    [ -z "$HAS_STAGING" ] ||
        echo "  an install was interrupted before it replaced anything; the next install or remove undoes it"
    [ -z "$HAS_REMOVING" ] || echo "  a remove was interrupted; the next install or remove completes it"
    if ! read_record installed; then
        echo "$PREFIX: our ws2_32.dll is not installed"
        return 1
    fi
    echo "$PREFIX: our ws2_32.dll is installed"
    whole=0
    for name in $FILES; do
        number_of "$name"
        get ORIGINAL
        if [ -z "$RESULT" ] || [ "$name" = user.reg ]; then
            continue
        fi
        identity "$name"
        current=$RESULT
        get OURS
        case " $RESULT " in
        *" $current "*) echo "  $name: ours" ;;
        *)
            echo "  $name: not ours (an install was interrupted, or it was changed since)"
            whole=1 ;;
        esac
    done
    for half in $PAIR; do
        case $PAIRS in
        *" $half "*)
            identity "$LIB/$half"
            case $PAIRS in
            *" $half $RESULT
"*) ;;
            *)
                echo "  $LIB/$half: not what was installed: install again, or remove"
                whole=1 ;;
            esac ;;
        esac
    done
    find_value user.reg "$KEY" "$NAME"
    [ "$LINE" != 0 ] || FOUND=none
    case $FOUND in
    native*) echo "  override $NAME: $FOUND" ;;
    *)
        echo "  override $NAME: $FOUND (so Wine uses its own)"
        whole=1 ;;
    esac
    find_server && echo "  in use by wineserver, process $RESULT"
    exec 9<&- # what is started now lives longer
    for arch in $ARCHES; do
        ask "$arch"
    done
    return $whole
}

# What a program gets that has loaded the DLL. The prefix stays as it is: the program sees its drives, and a copy
# of its registry, which a server of its own serves.
ask() { # ARCH
    case $1 in i386) what='a 32-bit program' ;; *) what='a program' ;; esac
    if ! command -v "${WINE:-wine}" >/dev/null; then
        echo "  what $what gets was not asked: there is no \`${WINE:-wine}\` here (WINE may name it)"
        return
    fi
    twin=$(mktemp -d) || return
    set +f
    mkdir "$twin/dosdevices" && cp ./*.reg "$twin"
    for drive in dosdevices/*; do
        target=$(readlink -n "$drive" && echo x) || continue
        target=${target%x}
        case $target in /*) ;; *) target=$PREFIX/dosdevices/$target ;; esac
        ln -s "$target" "$twin/$drive"
    done
    set -f
    answer=$(export WINEPREFIX="$twin" WINEDEBUG=-all,+ws2kernel
        export WINEDLLOVERRIDES="${WINEDLLOVERRIDES:+$WINEDLLOVERRIDES;}wineboot.exe="
        LC_ALL=$USERS_LC_ALL # empty is as good as none; in C, Wine finds no folder whose name is not ASCII
        cd "$THERE/probe" && "${WINE:-wine}" "./$1.exe" </dev/null 2>"$twin/trace" | tr -d '\r')
    dll=$(printf '%s\n' "$answer" | sed -n 's/^# ws2_32: //p')
    kernel=$(printf '%s\n' "$answer" | sed -n 's/^# kernel: //p')
    why=$(sed -n 's/.*:ws2kernel:.* host kernel: //p' "$twin/trace" | tr -d '\r')
    case $why in *'error 193'*) why="$why: the disk is mounted noexec, or the C library is older than 2.34" ;; esac
    if [ "$dll" ]; then
        printf '%s\n' "  $what gets $dll${kernel:+, kernel $kernel}${why:+ ($why)}"
    else
        echo "  what $what gets could not be asked: $(tail -n 1 "$twin/trace")"
    fi
    server=wineserver # of the same Wine
    case ${WINE-} in */*) server=${WINE%/*}/wineserver ;; esac
    if command -v "$server" >/dev/null; then
        WINEPREFIX=$twin "$server" -k 2>/dev/null
        WINEPREFIX=$twin "$server" -w 2>/dev/null
    fi
    rm -rf "$twin"
}

case $#,${1-} in
[12],install | [12],remove | [12],status) ;;
*)
    usage >&2
    exit 2 ;;
esac
trap 'exit 130' HUP INT TERM
trap 'status=$?; [ $status = 0 ] || [ -z "$CHANGED" ] || say "interrupted; the next install or remove goes on from there"
    exit $status' EXIT
open_prefix "${2:-${WINEPREFIX:-$HOME/.wine}}"
"$1"_verb
