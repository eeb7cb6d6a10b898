#include "core/s3/retry.h"

#include <stddef.h>

struct rule {
    const char *code;
    enum retry_verdict verdict;
    enum error_code error;
    const char *advice;
};

static const char advice_key[] = "check the access key and secret key (AWS_ACCESS_KEY_ID, "
                                 "AWS_SECRET_ACCESS_KEY or the profile)";
static const char advice_token[] = "the session credentials ran out: fetch new ones";
static const char advice_region[] = "set the bucket's own region (storage.region or AWS_REGION)";
static const char advice_clock[] = "set this machine's clock (NTP)";
static const char advice_bucket[] = "create the bucket or correct the S3 URI and endpoint";
static const char advice_denied[] = "the credentials lack this permission on the bucket";
static const char advice_full[] = "the bucket's owner has no space or quota left";

static const struct rule rules[] = {
    {"NoSuchBucket", RETRY_NEVER, ERROR_STORAGE, advice_bucket},
    {"NoSuchKey", RETRY_NEVER, ERROR_NOT_FOUND, ""},
    {"NoSuchUpload", RETRY_NEVER, ERROR_NOT_FOUND, ""},
    {"NotFound", RETRY_NEVER, ERROR_NOT_FOUND, ""},
    {"AccessDenied", RETRY_NEVER, ERROR_AUTH, advice_denied},
    {"AllAccessDisabled", RETRY_NEVER, ERROR_AUTH, advice_denied},
    {"AccountProblem", RETRY_NEVER, ERROR_AUTH, advice_denied},
    {"InvalidAccessKeyId", RETRY_NEVER, ERROR_AUTH, advice_key},
    {"SignatureDoesNotMatch", RETRY_NEVER, ERROR_AUTH, advice_key},
    {"InvalidClientTokenId", RETRY_NEVER, ERROR_AUTH, advice_key},
    {"ExpiredToken", RETRY_CREDENTIALS, ERROR_AUTH, advice_token},
    {"ExpiredTokenException", RETRY_CREDENTIALS, ERROR_AUTH, advice_token},
    {"TokenRefreshRequired", RETRY_CREDENTIALS, ERROR_AUTH, advice_token},
    {"InvalidToken", RETRY_CREDENTIALS, ERROR_AUTH, advice_token},
    {"RequestTimeTooSkewed", RETRY_CLOCK, ERROR_AUTH, advice_clock},
    {"RequestExpired", RETRY_CLOCK, ERROR_AUTH, advice_clock},
    {"PermanentRedirect", RETRY_REGION, ERROR_CONFIG, advice_region},
    {"TemporaryRedirect", RETRY_REGION, ERROR_CONFIG, advice_region},
    {"Redirect", RETRY_REGION, ERROR_CONFIG, advice_region},
    {"AuthorizationHeaderMalformed", RETRY_REGION, ERROR_CONFIG, advice_region},
    {"IllegalLocationConstraintException", RETRY_REGION, ERROR_CONFIG, advice_region},
    {"RequestTimeout", RETRY_LATER, ERROR_TIMEOUT, ""},
    {"RequestTimeoutException", RETRY_LATER, ERROR_TIMEOUT, ""},
    {"SlowDown", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"},
    {"Throttling", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"},
    {"ThrottlingException", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"},
    {"RequestLimitExceeded", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"},
    {"RequestThrottled", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"},
    {"BandwidthLimitExceeded", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"},
    {"InternalError", RETRY_LATER, ERROR_STORAGE, ""},
    {"InternalFailure", RETRY_LATER, ERROR_STORAGE, ""},
    {"ServiceUnavailable", RETRY_LATER, ERROR_STORAGE, ""},
    {"OperationAborted", RETRY_LATER, ERROR_STORAGE, ""},
    {"BadDigest", RETRY_LATER, ERROR_CORRUPT, "the bytes changed on their way"},
    {"XAmzContentSHA256Mismatch", RETRY_LATER, ERROR_CORRUPT, "the bytes changed on their way"},
    {"IncompleteBody", RETRY_LATER, ERROR_UNREACHABLE, ""},
    {"PreconditionFailed", RETRY_NEVER, ERROR_CONFLICT, "the object was changed meanwhile"},
    {"ConditionalRequestConflict", RETRY_NEVER, ERROR_CONFLICT, "somebody else writes it just now"},
    {"QuotaExceeded", RETRY_NEVER, ERROR_STORAGE, advice_full},
    {"XMinioStorageFull", RETRY_NEVER, ERROR_STORAGE, advice_full},
    {"InvalidBucketName", RETRY_NEVER, ERROR_CONFIG, advice_bucket},
    {"MethodNotAllowed", RETRY_NEVER, ERROR_UNSUPPORTED, "this endpoint is no S3 server"},
    {"NotImplemented", RETRY_NEVER, ERROR_UNSUPPORTED, "this S3 server lacks the function"},
};

/* What a bare status means: HEAD answers and proxies send no code. */
static const struct {
    int status;
    struct rule rule;
} statuses[] = {
    {301, {"", RETRY_REGION, ERROR_CONFIG, advice_region}},
    {307, {"", RETRY_REGION, ERROR_CONFIG, advice_region}},
    {401, {"", RETRY_NEVER, ERROR_AUTH, advice_key}},
    {403, {"", RETRY_NEVER, ERROR_AUTH, advice_denied}},
    {404, {"", RETRY_NEVER, ERROR_NOT_FOUND, ""}},
    {408, {"", RETRY_LATER, ERROR_TIMEOUT, ""}},
    {412, {"", RETRY_NEVER, ERROR_CONFLICT, "the object was changed meanwhile"}},
    {429, {"", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"}},
    {500, {"", RETRY_LATER, ERROR_STORAGE, ""}},
    {501, {"", RETRY_NEVER, ERROR_UNSUPPORTED, "this S3 server lacks the function"}},
    {502, {"", RETRY_LATER, ERROR_UNREACHABLE, "a proxy cannot reach the S3 server"}},
    {503, {"", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"}},
    {504, {"", RETRY_LATER, ERROR_UNREACHABLE, "a proxy cannot reach the S3 server"}},
    {507, {"", RETRY_NEVER, ERROR_STORAGE, advice_full}},
    {509, {"", RETRY_LATER, ERROR_STORAGE, "the server asks for less traffic"}},
};

static const struct rule *find_rule(int status, struct str code)
{
    static const struct rule other = {"", RETRY_NEVER, ERROR_STORAGE, ""};
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (str_is(code, rules[i].code))
            return &rules[i];
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (statuses[i].status == status)
            return &statuses[i].rule;
    return &other;
}

enum retry_verdict retry_judge(int status, struct str code)
{
    return find_rule(status, code)->verdict;
}

enum error_code retry_error_code(int status, struct str code)
{
    return find_rule(status, code)->error;
}

const char *retry_advice(int status, struct str code)
{
    return find_rule(status, code)->advice;
}

int64_t retry_delay_ms(unsigned failures, int64_t base_ms, int64_t cap_ms, uint64_t random)
{
    int64_t top = base_ms;
    for (unsigned i = 0; i < failures && top < cap_ms; i++)
        top *= 2;
    if (top > cap_ms)
        top = cap_ms;
    return top <= 0 ? 0 : (int64_t)(random % ((uint64_t)top + 1));
}
