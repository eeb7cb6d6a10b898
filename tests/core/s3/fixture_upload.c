#include "tests/core/s3/fixture_upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_MAX (4 * MULTIPART_PART_MIN)

const char *upload_bytes(void)
{
    static char *bytes;
    uint32_t x = 12345;
    if (bytes != NULL)
        return bytes;
    bytes = malloc(BYTES_MAX);
    for (size_t i = 0; i < BYTES_MAX; i++) {
        x = x * 1103515245 + 12345;
        bytes[i] = (char)(x >> 16);
    }
    return bytes;
}

struct s3 *upload_client(const struct s3_fake *fake, const struct upload_options *options)
{
    const struct machine *m = options->machine;
    const struct s3_options o = {.bucket = "bucket",
                                 .endpoint_url = s3_fake_url(fake),
                                 .access_key = m == NULL ? S3_FAKE_ACCESS_KEY : NULL,
                                 .secret_key = m == NULL ? S3_FAKE_SECRET_KEY : NULL,
                                 .tries = options->tries,
                                 .checksums = options->checksums,
                                 .backoff_base_ms = 2,
                                 .connect_timeout_ms = 10000,
                                 .stall_timeout_ms = 20000,
                                 .lookup = m != NULL ? machine_look_up : NULL,
                                 .lookup_ctx = m};
    struct s3 *s3 = NULL;
    struct error err = {.text = ""};
    if (!s3_new(&o, &s3, &err))
        fail_msg("%s", err.text);
    return s3;
}

struct upload_result upload_run(const struct s3_fake *fake, const struct upload_options *options)
{
    struct upload_result r = {.err = {.text = ""}};
    struct s3 *s3 = upload_client(fake, options);
    const struct multipart_options how = {.part_bytes = MULTIPART_PART_MIN,
                                          .workers = 3,
                                          .never_replace = options->never_replace,
                                          .memory = options->memory};
    struct multipart *m = NULL;
    size_t bytes = options->bytes > 0 ? options->bytes : UPLOAD_BYTES;
    assert_true(multipart_new(s3, STR(UPLOAD_KEY), &how, &m, &r.err));
    r.ok = multipart_write(m, (struct str){upload_bytes(), bytes}, &r.err) &&
           multipart_commit(m, NULL, &r.err);
    multipart_free(m);
    s3_free(s3);
    assert_null(strstr(r.err.text, S3_FAKE_SECRET_KEY));
    return r;
}

bool upload_is_whole(const struct s3_fake *fake, size_t bytes)
{
    size_t len = 0;
    const char *object = s3_fake_object(fake, UPLOAD_KEY, &len);
    return object != NULL && len == bytes && memcmp(object, upload_bytes(), len) == 0;
}
