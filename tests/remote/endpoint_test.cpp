#include "alambic/remote/endpoint.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "alambic/base/error.h"

namespace alambic::endpoint_test {
namespace {

TEST(Endpoint, PartsOfAnAddress) {
  const Endpoint plain = parse_endpoint("https://api.Example.com/v1#org/model");
  EXPECT_EQ(plain, (Endpoint{"https", "api.example.com", 443, "", "org/model"}));
  EXPECT_EQ(plain.url("/v1/models"), "https://api.example.com:443/v1/models");
  EXPECT_EQ(plain.name(), "https://api.example.com#org/model");
  EXPECT_EQ(parse_endpoint("http://[::1]:8000/"), (Endpoint{"http", "[::1]", 8000, "", ""}));
  EXPECT_EQ(parse_endpoint("https://a.b/openai/v1/").path, "/openai");
  EXPECT_TRUE(parse_endpoint("http://127.0.0.1:1").is_loopback());
  EXPECT_FALSE(parse_endpoint("http://10.0.0.1").is_loopback());
  for (const char* inner : {"http://10.1.2.3", "http://192.168.1.1", "http://172.16.0.9"}) {
    EXPECT_TRUE(parse_endpoint(inner).is_private()) << inner;
  }
  for (const char* outer : {"http://172.32.0.9", "http://172.1", "http://8.8.8.8", "http://a"}) {
    EXPECT_FALSE(parse_endpoint(outer).is_private()) << outer;
  }
  EXPECT_EQ(key_variable(plain), "ALAMBIC_KEY_API_EXAMPLE_COM");
}

// Bug: a key in an address, which then stands in config.toml, the record and every log.
TEST(Endpoint, RefusesWhatIsNone) {
  for (const char* text : {"https://user:secret@host/v1", "https://key@host", "https:///v1",
                           "https://host:0/v1", "https://host:99999", "https://host:port",
                           "https://host/v1?key=secret", "ftp://host", "https://ho st"}) {
    try {
      parse_endpoint(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << text;
      if (std::string(text).find('@') != std::string::npos) {
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
      }
    }
  }
}

TEST(Endpoint, KeysComeFromTheHostsVariable) {
  ::setenv("ALAMBIC_KEY_KEYED_EXAMPLE_ORG", "sk-canary-of-endpoint", 1);
  const Endpoint endpoint = parse_endpoint("https://keyed.example.org/v1");
  ASSERT_NE(key_of(endpoint, "", ""), nullptr);
  EXPECT_EQ(key_of(endpoint, "", "")->reveal(), "sk-canary-of-endpoint");
  EXPECT_THROW(key_of(endpoint, "ALAMBIC_TEST_MISSING", ""), Error);
  EXPECT_EQ(key_of(parse_endpoint("https://other.example.org"), "", ""), nullptr);
  // Without encryption it goes to this machine at most.
  EXPECT_THROW(key_of(parse_endpoint("http://keyed.example.org"), "", ""), Error);
  ::setenv("ALAMBIC_KEY_127_0_0_1", "sk-canary-of-loopback", 1);
  EXPECT_NE(key_of(parse_endpoint("http://127.0.0.1:9"), "", ""), nullptr);
}

}  // namespace
}  // namespace alambic::endpoint_test
