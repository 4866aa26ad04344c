# dns01/dnsapi.sh - calls a dnsapi script of acme.sh: dnsapi SCRIPT FUNCTION NAME VALUE
#
# Sources SCRIPT and calls FUNCTION. What such scripts expect to find around them stands here. Values
# that they would read from acme.sh's account file are variables of the environment; what they save
# is kept for the run only. The comments and blank lines are not compiled in.

# shellcheck disable=SC1090,SC2034,SC2059 # the script is an argument, and reads these variables
_script=$1 _function=$2 _name=$3 _value=$4
HTTP_HEADER=$(mktemp) || exit 1
trap 'rm -f "$HTTP_HEADER"' EXIT
LOG_LEVEL=0 DEBUG=0 ACME_USE_WGET=

# ---- talk: to the output that the condition shows; never secrets ----
_info() { printf '%s\n' "$*"; }
_err() { printf '%s\n' "$*" >&2; return 1; }
_debug() { :; }
_debug2() { :; }
_debug3() { :; }
_secure_debug() { :; }
_secure_debug2() { :; }
_secure_debug3() { :; }

# ---- settings: of the environment ----
_variable() {
	case $1 in '' | *[!A-Za-z0-9_]*) return 1 ;; esac
	eval "printf '%s' \"\${$1-}\""
}
_readaccountconf() { _variable "$1"; }
_readaccountconf_mutable() { _variable "$1"; }
_readdomainconf() { _variable "$1"; }
_getaccountconf() { _variable "$1"; }
_save() {
	case $1 in '' | *[!A-Za-z0-9_]*) return 1 ;; esac
	eval "$1=\$2"
}
_saveaccountconf() { _save "$1" "$2"; }
_saveaccountconf_mutable() { _save "$1" "$2"; }
_savedomainconf() { _save "$1" "$2"; }
_clearaccountconf() { :; }
_clearaccountconf_mutable() { :; }
_cleardomainconf() { :; }

# ---- text ----
_contains() { printf '%s\n' "$1" | grep -e "$2" >/dev/null 2>&1; }
_hasfield() {
	case "${3:-,}$1${3:-,}" in *"${3:-,}$2${3:-,}"*) return 0 ;; esac
	return 1
}
_getfield() { printf '%s\n' "$1" | cut -d "${3:-,}" -f "$2"; }
_startswith() { case $1 in "$2"*) return 0 ;; esac; return 1; }
_endswith() { case $1 in *"$2") return 0 ;; esac; return 1; }
_egrep_o() { grep -E -o -e "$1"; }
_head_n() { head -n "$1"; }
_tail_n() { tail -n "$1"; }
_lower_case() { tr '[:upper:]' '[:lower:]'; }
_upper_case() { tr '[:lower:]' '[:upper:]'; }
_normalizeJson() { sed 's/" *: *\(["{\[]\)/":\1/g; s/^ *\([^ ]\)/\1/' | tr -d '\r\n'; }
_json_encode() { sed 's/\\/\\\\/g; s/"/\\"/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'; }
_json_decode() { sed 's/\\"/"/g; s/\\\//\//g; s/\\\\/\\/g'; }
_url_encode() {
	_hex=$(od -An -v -tx1 | tr -d '\n')
	for _byte in $_hex; do
		case $_byte in
		2d | 2e | 5f | 7e | 3[0-9] | 4[1-9a-f] | 5[0-9a] | 6[1-9a-f] | 7[0-9a])
			printf "\\$(printf '%03o' "0x$_byte")" ;;
		*) printf '%%%s' "$_byte" | tr 'a-f' 'A-F' ;;
		esac
	done
}
_idn() { printf '%s' "$1"; }
_math() { printf '%s' "$(($*))"; }
_exists() { command -v "$1" >/dev/null 2>&1; }
_mktemp() { mktemp; }
_time() { date -u +%s; }
_utc_date() { date -u '+%Y-%m-%d %H:%M:%S'; }
_sleep() { sleep "$1"; }

# ---- bytes: openssl ----
_base64() {
	if [ -n "${1-}" ]; then openssl base64 -e; else openssl base64 -e -A; fi
}
_dbase64() {
	if [ -n "${1-}" ]; then openssl base64 -d -A; else openssl base64 -d; fi
}
_hex_dump() { od -An -v -tx1 | tr '\n' ' ' | sed 's/  */ /g'; }
_h2b() {
	_hex=$(cat | tr -d ' \r\n')
	while [ -n "$_hex" ]; do
		_rest=${_hex#??}
		printf "\\$(printf '%03o' "0x${_hex%"$_rest"}")"
		_hex=$_rest
	done
}
_digest() {
	if [ -n "${2-}" ]; then openssl dgst -"$1" -hex | sed 's/.* //'; else
		openssl dgst -"$1" -binary | openssl base64 -e -A
	fi
}
_hmac() {
	if [ -n "${3-}" ]; then
		openssl dgst -"$1" -mac HMAC -macopt "hexkey:$2" | sed 's/.* //'
	else
		openssl dgst -"$1" -mac HMAC -macopt "hexkey:$2" -binary | openssl base64 -e -A
	fi
}

# ---- HTTP: curl; header fields by a file that only we read, so that no list of processes shows
# them ----
_fields() {
	for _field in "${_H1-}" "${_H2-}" "${_H3-}" "${_H4-}" "${_H5-}"; do
		if [ -n "$_field" ]; then printf '%s\n' "$_field"; fi
	done
}
_get() {
	_fields | curl --silent --show-error --location --max-time "${3:-60}" --user-agent sallyport \
		--dump-header "$HTTP_HEADER" ${2:+--head} --header @- "$1"
	_ret=$?
	return $_ret
}
_post() {
	_bodyfile=$(mktemp) || return 1
	printf '%s' "$1" >"$_bodyfile"
	if [ -n "${5-}" ]; then _H5="Content-Type: $5"; fi
	_fields | curl --silent --show-error --location --max-time 60 --user-agent sallyport \
		--dump-header "$HTTP_HEADER" --request "${4:-POST}" --data-binary "@$_bodyfile" \
		--header @- "$2" >"$_bodyfile.answer"
	_ret=$?
	if [ -n "${3-}" ]; then openssl base64 -e -A <"$_bodyfile.answer"; else
		cat "$_bodyfile.answer"
	fi
	rm -f "$_bodyfile" "$_bodyfile.answer"
	return $_ret
}

. "$_script" || exit 1
if ! command -v "$_function" >/dev/null 2>&1; then
	_err "$_script has no function $_function" || exit 1
fi
"$_function" "$_name" "$_value"
