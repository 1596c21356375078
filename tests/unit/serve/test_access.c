/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Who may ask what. */
#include "serve/access.h"
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tmon_access access_rules;
static const char token[] = "0123456789abcdef0123456789abcdef";

static const char read_token[] = "fedcba9876543210fedcba9876543210";

static void open_rules(const char *bound, const char *secret, const char *const *names, size_t count) {
  ck_assert_int_eq(tmon_access_init(&access_rules, bound, secret, secret != NULL ? read_token : NULL, names, count), 0);
}

START_TEST(host_names_this_server) {
  static const char *const names[] = {"gpu.lan", "monitor.example:443"};
  static const struct {
    const char *host;
    bool good;
  } hosts[] = {{"127.0.0.1:8000", true}, {"localhost:8000", true}, {"LOCALHOST:8000", true}, {"[::1]:8000", true}, {"gpu.lan:8000", true},
      {"monitor.example:443", true}, {"monitor.example", true}, {"localhost", false}, {"localhost:8001", false}, {"evil.example:8000", false},
      {"gpu.lan.evil:8000", false}, {"gpu.lan:81", false}, {"192.168.1.2:8000", false}, {"localhost:8000x", false}, {"", false}, {"[::1:8000", false},
      {":8000", false}, {"localhost:", false}, {"127.0.0.1.evil.example:8000", false}};
  open_rules("127.0.0.1", NULL, names, 2);
  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    ck_assert_msg(tmon_access_host(&access_rules, hosts[i].host, 8000) == hosts[i].good, "%s", hosts[i].host);
  }
  tmon_access_free(&access_rules);
  open_rules("0.0.0.0", token, NULL, 0);
  ck_assert(tmon_access_host(&access_rules, "192.168.1.2:8000", 8000));
  ck_assert(!tmon_access_host(&access_rules, "rebound.example:8000", 8000));
  tmon_access_free(&access_rules);
}
END_TEST

START_TEST(origin_is_this_server) {
  static const struct {
    const char *origin;
    const char *site;
    bool good;
  } origins[] = {{"", "", true}, {"http://localhost:8000", "same-origin", true}, {"https://localhost:8000", "", true},
      {"http://localhost:8001", "", false}, {"http://evil.example", "", false}, {"null", "", false}, {"", "cross-site", false},
      {"http://localhost:8000.evil", "", false}};
  for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
    tmon_request request;
    memset(&request, 0, sizeof request);
    (void)snprintf(request.host, sizeof request.host, "localhost:8000");
    (void)snprintf(request.origin, sizeof request.origin, "%s", origins[i].origin);
    (void)snprintf(request.fetch_site, sizeof request.fetch_site, "%s", origins[i].site);
    ck_assert_msg(tmon_access_origin(&request) == origins[i].good, "%s %s", origins[i].origin, origins[i].site);
  }
}
END_TEST

START_TEST(origins_of_frames_are_exact) {
  static const char *const good[] = {
      "http://localhost:8888", "https://hub.example", "http://127.0.0.1:80", "https://a-b.C9.example:65535", "http://localhost"};
  static const char *const bad[] = {"", "*", "'self'", "localhost:8888", "http:", "http://", "http://*", "https://*.example", "http://localhost:*",
      "http://localhost:", "http://localhost:0", "http://localhost:65536", "http://localhost:88 88", "http://localhost:8888/", "http://a b", "http://a;b",
      "http://a,b", "http://a\r\nb", "http://a..b", "http://.a", "http://a.", "http://[::1]:8888", "http://me@localhost", "HTTP://localhost", "ftp://a",
      "null"};
  char longest[7 + 256 + 1] = "http://";
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    ck_assert_msg(tmon_access_is_origin(good[i]), "%s", good[i]);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ck_assert_msg(!tmon_access_is_origin(bad[i]), "%s", bad[i]);
  }
  memset(longest + 7, 'a', 255);
  ck_assert(tmon_access_is_origin(longest));
  longest[7 + 255] = 'a';
  ck_assert(!tmon_access_is_origin(longest));
}
END_TEST

START_TEST(token_or_cookie) {
  tmon_request request;
  memset(&request, 0, sizeof request);
  request.port = 8000;
  open_rules("0.0.0.0", token, NULL, 0);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_NONE);
  (void)snprintf(request.authorization, sizeof request.authorization, "Bearer %s", token);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_WRITE);
  (void)snprintf(request.authorization, sizeof request.authorization, "Bearer %sx", token);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_NONE);
  (void)snprintf(request.authorization, sizeof request.authorization, "Bearer ");
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_NONE);
  request.authorization[0] = '\0';
  (void)snprintf(request.cookie, sizeof request.cookie, "trainmon_8000=%s", access_rules.secret);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_WRITE);
  request.port = 8001;
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_NONE);
  request.port = 8000;
  (void)snprintf(request.cookie, sizeof request.cookie, "trainmon_8000=%s", access_rules.read_secret);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_READ);
  (void)snprintf(request.cookie, sizeof request.cookie, "trainmon_8000=%s", token);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_NONE);
  (void)snprintf(request.authorization, sizeof request.authorization, "Bearer %s", read_token);
  ck_assert_int_eq(tmon_access_right(&access_rules, &request), TMON_RIGHT_READ);
  const char *secret = NULL;
  ck_assert_int_eq(tmon_access_login(&access_rules, token, &secret), TMON_RIGHT_WRITE);
  ck_assert_str_eq(secret, access_rules.secret);
  ck_assert_int_eq(tmon_access_login(&access_rules, read_token, &secret), TMON_RIGHT_READ);
  ck_assert_str_eq(secret, access_rules.read_secret);
  ck_assert_int_eq(tmon_access_login(&access_rules, "", &secret), TMON_RIGHT_NONE);
  ck_assert_int_eq(tmon_access_login(&access_rules, "0123456789abcdef", &secret), TMON_RIGHT_NONE);
  tmon_access_free(&access_rules);
}
END_TEST

START_TEST(writes_are_rationed_by_client) {
  open_rules("127.0.0.1", NULL, NULL, 0);
  int64_t now = 1000000;
  for (int i = 0; i < TMON_ACCESS_BURST; i++) {
    ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.1", TMON_BUDGET_WRITES, 1, now), 0);
  }
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.1", TMON_BUDGET_WRITES, 1, now), 1);
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.1", TMON_BUDGET_READS, 1, now), 0);
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.2", TMON_BUDGET_WRITES, 1, now), 0);
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.1", TMON_BUDGET_WRITES, 1, now + 1000000 / TMON_ACCESS_RATE + 1), 0);
  /* A budget is refilled by its rate, and what was refused costs nothing. */
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.3", TMON_BUDGET_COST, TMON_ACCESS_COST_BURST, now), 0);
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.3", TMON_BUDGET_COST, 2.5 * TMON_ACCESS_COST_RATE, now), 3);
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.3", TMON_BUDGET_COST, 2.5 * TMON_ACCESS_COST_RATE, now + 2400000), 1);
  ck_assert_uint_eq(tmon_access_take(&access_rules, "10.0.0.3", TMON_BUDGET_COST, 2.5 * TMON_ACCESS_COST_RATE, now + 2500001), 0);
  tmon_access_free(&access_rules);
}
END_TEST

START_TEST(loopback_addresses) {
  ck_assert(tmon_address_is_loopback("127.0.0.1") && tmon_address_is_loopback("127.9.9.9") && tmon_address_is_loopback("::1"));
  ck_assert(!tmon_address_is_loopback("0.0.0.0") && !tmon_address_is_loopback("10.0.0.1") && !tmon_address_is_loopback("127.evil"));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("access");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, host_names_this_server);
  tcase_add_test(tests, origin_is_this_server);
  tcase_add_test(tests, origins_of_frames_are_exact);
  tcase_add_test(tests, token_or_cookie);
  tcase_add_test(tests, writes_are_rationed_by_client);
  tcase_add_test(tests, loopback_addresses);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
