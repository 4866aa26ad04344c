# Completion of sallyport(1) for bash. Verbs and flags are those that the program tells of itself,
# kinds and names those that the daemon has.

_sallyport_ask()
{
	"${COMP_WORDS[0]}" "$@" 2>/dev/null
}

# The first, or behind WORD the second words of verbs.
_sallyport_verbs()
{
	_sallyport_ask help | awk -v word="$1" '
		/^$/ { verbs = 0 }
		verbs { name = substr($0, 3, 18); n = split(name, part, " ")
			if (word == "") { if (!seen[part[1]]++) print part[1] }
			else if (part[1] == word && n > 1) print part[2] }
		/^Verbs:/ { verbs = 1 }'
}

_sallyport_flags()
{
	_sallyport_ask help "$@" | sed -n 's/^  \(-[a-zA-Z], \|    \)\(--[a-z0-9-]*\).*/\2/p'
}

_sallyport_names()
{
	_sallyport_ask get "$1" -o name | sed 's|.*/||'
}

_sallyport()
{
	local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} i found
	local -a words=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-n | --namespace | --socket) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case $last in
	-f | --filename | --patch-file | --cert | --key | --chain | --fullchain | --pem | --p12 | \
		--password-file | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	--dir | --hooks-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return ;;
	-n | --namespace) found=$(_sallyport_names namespaces) ;;
	--issuer) found=$(_sallyport_names issuers; _sallyport_names clusterissuers) ;;
	--key-type) found='p256 p384 rsa2048 rsa3072 rsa4096 ed25519' ;;
	--reason) found='unspecified keyCompromise affiliationChanged superseded cessationOfOperation' ;;
	-o | --output) found='json yaml wide name' ;;
	esac
	if [ -n "$found" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$found" -- "$word")
		return
	fi
	if [ "${word:0:1}" = - ]; then
		found=$(_sallyport_flags "${words[@]:0:2}")
	elif [ ${#words[@]} -eq 0 ]; then
		found=$(_sallyport_verbs '')
	else
		case ${words[0]}${words[1]:+ ${words[1]}} in
		certificate | account | import | rollout) found=$(_sallyport_verbs "${words[0]}") ;;
		import\ *)
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			return ;;
		certificate\ issue | certificate\ list | account\ list) ;;
		certificate\ * | renew*) found=$(_sallyport_names certificates) ;;
		account\ *) found=$(_sallyport_names issuers; _sallyport_names clusterissuers) ;;
		get\ * | describe\ * | delete\ * | annotate\ * | label\ * | patch\ * | wait\ *)
			found=$(_sallyport_names "${words[1]}") ;;
		get | describe | delete | annotate | label | patch | wait)
			found=$(_sallyport_ask api-resources -o name) ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$found" -- "$word")
}

complete -F _sallyport sallyport
