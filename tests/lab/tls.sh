# tls.sh - a certificate authority, a server's and a client's certificate for a lab. Sourced.

tls_make() { # DIR
    local log=$1/openssl.log
    [ -s "$1/client.pem" ] && return
    command -v openssl >/dev/null || die "openssl is missing: make deps"
    mkdir -p "$1"
    (
        cd "$1" || exit 1
        printf 'subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1\n' >server.ext
        printf 'extendedKeyUsage=clientAuth\n' >client.ext
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=lab CA' \
            -keyout ca.key -out ca.pem || exit 1
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -subj "/CN=lab $name" \
                -keyout $name.key -out $name.csr &&
                openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                    -days 3650 -out $name.new -extfile $name.ext && mv $name.new $name.pem || exit 1
        done
    ) >"$log" 2>&1 || die "cannot make certificates, see $log"
}

# Random text for passwords; kept in files of mode 0600, never on a command line.
secrets_make() {
    local name
    for name in password user.password; do
        [ -s "$DIR/$name" ] || od -An -N12 -tx1 /dev/urandom | tr -d ' \n' >"$DIR/$name"
    done
}
