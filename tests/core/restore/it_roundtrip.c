/*
 * it_roundtrip.c - from a server into a backup and back, by the program itself, compared by what
 * the servers say: DEBUG DIGEST, XINFO STREAM FULL, PTTL.
 */
#include "tests/engine/fixture_stream.h"
#include "tests/engine/program_kit.h"

#include "core/base/clock.h"

/* The directory of a new backup of everything. */
static const char *back_up(void)
{
    static const char label[] = "Backup written: ";
    const char *dir = tmpdir_new();
    char *said;
    char *path;

    assert_int_equal(RUN(&said, "backup", "--backup-dir", dir, "--no-upload"), 0);
    path = strstr(said, label);
    assert_non_null(path);
    path += strlen(label);
    path[strcspn(path, "\n")] = '\0';
    dir = tmpdir_path(path, "");
    free(said);
    return dir;
}

static char *eval(const char *script)
{
    char *said = lab_cli(lab, 0, "EVAL", script, "0", NULL);

    assert_non_null(said);
    if (strstr(said, "ERR") != NULL || strstr(said, "rror running") != NULL)
        fail_msg("%s: %s", script, said);
    return said;
}

/* ---- streams -----------------------------------------------------------------------------------
 */

static const char *const stream_names[] = {"full",       "never",     "emptied", "emptied-group",
                                           "tombstones", "last-gone", "trimmed", "head-pending"};

static const char make_streams[] =
    "local c=redis.call "
    "for i=1,9 do c('XADD','full',i..'-1','f','v'..i) end c('XGROUP','CREATE','full','g','0') "
    "c('XREADGROUP','GROUP','g','c1','COUNT','3','STREAMS','full','>') "
    "c('XREADGROUP','GROUP','g','c2','COUNT','2','STREAMS','full','>') "
    "c('XREADGROUP','GROUP','g','noack','COUNT','1','NOACK','STREAMS','full','>') "
    "c('XACK','full','g','1-1') c('XDEL','full','3-1','9-1') "
    "c('XCLAIM','full','g','c2','0','2-1','TIME','1755497196412','RETRYCOUNT','7') "
    "c('XGROUP','CREATE','full','\\255\\0bin','4-1') "
    "c('XGROUP','CREATECONSUMER','full','g','idle') "
    "c('XGROUP','CREATE','never','g','$','MKSTREAM') c('XGROUP','CREATECONSUMER','never','g','x') "
    "for i=1,3 do c('XADD','emptied',i..'-7','f','v') end c('XDEL','emptied','1-7','2-7','3-7') "
    "for i=1,3 do c('XADD','emptied-group',i..'-7','f','v') end "
    "c('XGROUP','CREATE','emptied-group','g','2-7') c('XTRIM','emptied-group','MAXLEN','0') "
    "for i=1,3 do c('XADD','tombstones',i..'-7','f','v') end "
    "c('XGROUP','CREATE','tombstones','g','0') "
    "c('XREADGROUP','GROUP','g','c','STREAMS','tombstones','>') "
    "c('XDEL','tombstones','1-7','2-7','3-7') "
    "for i=1,3 do c('XADD','last-gone',i..'-7','f','v') end c('XDEL','last-gone','3-7') "
    "for i=1,1000 do c('XADD','trimmed',i..'-0','f','v') end "
    "c('XGROUP','CREATE','trimmed','g','0') "
    "c('XREADGROUP','GROUP','g','c','COUNT','990','STREAMS','trimmed','>') "
    "c('XTRIM','trimmed','MAXLEN','15') "
    "for i=1,9 do c('XADD','head-pending',i..'-0','f','v') end "
    "c('XGROUP','CREATE','head-pending','g','0') "
    "c('XREADGROUP','GROUP','g','c','COUNT','8','STREAMS','head-pending','>') "
    "c('XTRIM','head-pending','MAXLEN','6') c('XDEL','head-pending','6-0') return 1";

static void streams_come_back_as_they_were(const char *flavor)
{
    char *before[COUNT_OF(stream_names)];
    const char *dir;

    start(flavor);
    free(eval(make_streams));
    for (size_t i = 0; i < COUNT_OF(stream_names); i++)
        before[i] = stream_facts(lab, stream_names[i]);
    dir = back_up();
    flush();
    assert_int_equal(RUN(NULL, "restore", "-i", dir), 0);
    for (size_t i = 0; i < COUNT_OF(stream_names); i++) {
        char *after = stream_facts(lab, stream_names[i]);

        assert_true(strlen(after) > 50);
        assert_string_equal(before[i], after);
        free(before[i]);
        free(after);
    }
    assert_int_equal(lab_keys(lab), COUNT_OF(stream_names));
    assert_int_equal(RUN(NULL, "verify", "-i", dir, "--full"), 0);
    /* And over themselves, once more. */
    assert_int_equal(RUN(NULL, "restore", "-i", dir, "--overwrite"), 0);
    assert_int_equal(RUN(NULL, "verify", "-i", dir, "--full"), 0);
    assert_int_equal(lab_keys(lab), COUNT_OF(stream_names));
}

static void streams_come_back_on_redis(void **ctx UNUSED)
{
    streams_come_back_as_they_were("redis");
}

static void streams_come_back_on_valkey(void **ctx UNUSED)
{
    streams_come_back_as_they_were("valkey");
}

/* ---- large and odd values -----------------------------------------------------------------------
 */

static const char *const make_large[] = {
    "for i=1,100000 do redis.call('HSET','hash','field '..i,'value '..i) end return 1",
    "local t={} for i=1,1000000 do t[#t+1]=tostring(i) if #t==5000 then "
    "redis.call('RPUSH','list',unpack(t)) t={} end end return redis.call('LLEN','list')",
    "for i=0,99 do redis.call('APPEND','string',string.rep(string.char(65+i%26),1048576)) end "
    "return 1",
    "for i=1,30000 do redis.call('ZADD','zset',i*0.1,'m'..i) end "
    "redis.call('ZADD','zset','inf','top','-inf','bottom','-0.0','zero') return 1",
    "for i=1,30000 do redis.call('SADD','set','\\255\\0'..i) end return 1",
    "redis.call('SET','bin\\0\\255','\\0\\1\\254\\255\\r\\n') redis.call('SET','','empty name') "
    "redis.call('SET','empty value','') redis.call('HSET','\\195\\40','','') "
    "redis.call('PFADD','hll','a','b','c') return redis.call('PFCOUNT','hll')",
};

static void large_and_odd_values_have_the_same_digest(void **ctx UNUSED)
{
    const char *dir;
    char *before;
    char *after;

    start("redis");
    for (size_t i = 0; i < COUNT_OF(make_large); i++)
        free(eval(make_large[i]));
    before = lab_cli(lab, 0, "DEBUG", "DIGEST", NULL);
    assert_non_null(before);
    assert_int_equal(strlen(before), 40);
    dir = back_up();
    flush();
    assert_int_equal(RUN(NULL, "restore", "-i", dir), 0);
    after = lab_cli(lab, 0, "DEBUG", "DIGEST", NULL);
    assert_string_equal(before, after);
    assert_int_equal(RUN(NULL, "verify", "-i", dir, "--full"), 0);
    free(before);
    free(after);
}

/* ---- expiry
 * -------------------------------------------------------------------------------------- */

/* Every shape that takes its own way: plain string, small key, large key. */
static const char *mortal_keys(int64_t soon, int64_t past)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < 2; i++) {
        long long at = (long long)(i == 0 ? soon : past);
        const char *name = i == 0 ? "soon" : "past";

        fprintf(f,
                "{\"key\":\"string:%s\",\"type\":\"string\",\"ttl_millis\":500000,\"value\":\"v\","
                "\"expire_at_millis\":%lld}\n",
                name, at);
        fprintf(
            f,
            "{\"key\":\"hash:%s\",\"type\":\"hash\",\"ttl_millis\":500000,\"value\":{\"f\":\"v\"},"
            "\"expire_at_millis\":%lld}\n",
            name, at);
        fprintf(f,
                "{\"key\":\"list:%s\",\"type\":\"list\",\"ttl_millis\":500000,\"value\":[\"a\"],"
                "\"expire_at_millis\":%lld,\"chunk\":{\"seq\":0,\"last\":true,\"count\":1}}\n",
                name, at);
    }
    fprintf(f,
            "{\"key\":\"string:ever\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n");
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void expiry_comes_back_as_the_mode_says(void **ctx UNUSED)
{
    static const char *const kinds[] = {"string", "hash", "list"};
    static const char *const policies[] = {"--skip-existing", "--overwrite"};
    int64_t now = clock_real_ms();
    const char *dir = mortal_keys(now + 900000, now - 1000);
    char *said;

    start("redis");
    for (size_t p = 0; p < COUNT_OF(policies); p++)
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            char soon[24];
            char past[24];

            (void)snprintf(soon, sizeof(soon), "%s:soon", kinds[i]);
            (void)snprintf(past, sizeof(past), "%s:past", kinds[i]);
            flush();
            assert_int_equal(RUN(NULL, "restore", "-i", dir, policies[p]), 0);
            assert_in_range(pttl(soon), 450000, 500000);
            assert_in_range(pttl(past), 450000, 500000);
            flush();
            assert_int_equal(RUN(&said, "restore", "-i", dir, policies[p], "--ttl", "absolute"), 0);
            assert_non_null(strstr(said, "written=4 existing=0 expired=3 failed=0"));
            free(said);
            assert_in_range(pttl(soon), 800000, 900000);
            assert_int_equal(pttl(past), -2);
            flush();
            assert_int_equal(RUN(NULL, "restore", "-i", dir, policies[p], "--ttl", "none"), 0);
            assert_int_equal(pttl(soon), -1);
            assert_int_equal(pttl(past), -1);
            assert_int_equal(pttl("string:ever"), -1);
        }
    /* Replacing a mortal key by one that lasts takes the old expiry away. */
    free(lab_cli(lab, 0, "SET", "string:ever", "old", "PX", "100000", NULL));
    assert_int_equal(RUN(NULL, "restore", "-i", dir, "--overwrite", "--ttl", "none"), 0);
    assert_int_equal(pttl("string:ever"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streams_come_back_on_redis, stop),
        cmocka_unit_test_teardown(streams_come_back_on_valkey, stop),
        cmocka_unit_test_teardown(large_and_odd_values_have_the_same_digest, stop),
        cmocka_unit_test_teardown(expiry_comes_back_as_the_mode_says, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
