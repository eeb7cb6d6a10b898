# config.sh - what a lab leaves for rbconsole: config.json, .env files, s3.env. Sourced.

# The connection part of one environment; every value here is of our own making, without quotes.
config_environment() { # USER PASSWORD-FILE
    local out='' i list=''
    if [ "$KIND" = sentinel ]; then
        for i in 0 1 2; do list+="${list:+, }\"127.0.0.1:$(sentinel_port $i)\""; done
        out="\"mode\": \"sentinel\", \"master_name\": \"mymaster\", \"sentinels\": [$list]"
        [ "$PASSWORD" = 0 ] || out+=", \"sentinel_password_file\": \"$DIR/password\""
    else
        for i in $(seq 0 $(($(servers_count) - 1))); do
            list+="${list:+, }\"127.0.0.1:$((PORT + i))\""
        done
        out="\"nodes\": [$list]"
    fi
    [ -z "$1" ] || out+=", \"username\": \"$1\""
    [ -z "$2" ] || out+=", \"password_file\": \"$2\""
    [ "$TLS" = 0 ] || out+=", \"tls\": {\"enabled\": true, \"ca_file\": \"$DIR/tls/ca.pem\"}"
    echo "{$out}"
}

config_write() {
    local secret='' name environments='' storage='' user
    [ "$PASSWORD" = 0 ] || secret=$DIR/password
    if [ "$KIND" != none ]; then
        environments="\"local\": $(config_environment '' "$secret")"
        environments+=$',\n    '"\"dev\": $(config_environment '' "$secret")"
        if [ "$ACL" = 1 ]; then
            for user in monitor backup restore; do
                environments+=$',\n    '"\"$user\": $(config_environment "$user" "$DIR/user.password")"
            done
        fi
    else
        environments='"local": {"nodes": ["127.0.0.1:1"]}'
    fi
    if [ "$S3" = 1 ]; then
        storage="\"s3_uri\": \"s3://$S3_BUCKET/backups\", \"endpoint_url\": \"http://127.0.0.1:$((PORT + 70))\", "
        storage+="\"region\": \"$S3_REGION\", \"addressing\": \"path\", "
        s3_env >"$DIR/s3.env"
        for name in local dev monitor backup restore; do
            sed -n "s/^export \(AWS_[A-Z_]*KEY[A-Z_]*=\)'\(.*\)'/\1\2/p" "$DIR/s3.env" >"$DIR/.env.$name"
        done
    fi
    mkdir -p "$DIR/backups" "$DIR/state"
    cat >"$DIR/config.json.new" <<EOT
{
  "redis_nodes": {
    $environments
  },
  "storage": {${storage}"backup_dir": "$DIR/backups"},
  "state_dir": "$DIR/state"
}
EOT
    mv "$DIR/config.json.new" "$DIR/config.json"
}
