// The cache that huggingface_hub and Alambic share, and whose settings decide about it.
#include "alambic/hub/hub_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "alambic/base/sha256.h"
#include "alambic/hub/http.h"
#include "alambic/hub/hub.h"
#include "tests/hub/hub_server.h"
#include "tests/io/io_testing.h"

namespace alambic::hub_cache_test {
namespace {

const std::string commit(40, 'a'), other_commit(40, 'b');

// The variables of this test alone.
class Environment {
 public:
  explicit Environment(std::map<std::string, std::string> values) {
    for (const char* name : {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME",
                             "ALAMBIC_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH",
                             "HF_HUB_OFFLINE", "HF_ENDPOINT", "TRANSFORMERS_OFFLINE",
                             "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DISABLE_SYMLINKS", "HOME"}) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      ::unsetenv(name);
      names_.emplace_back(name);
    }
    for (const auto& [name, value] : values) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::string> before_;
};

using Values = std::map<std::string, std::string>;

// Values of huggingface_hub 2.4's constants in the same environments.
TEST(HubSettings, FindTheCacheOfHuggingfaceHub) {
  const std::vector<std::pair<Values, std::string>> cases = {
      {{{"HOME", "/h"}}, "/h/.cache/huggingface/hub"},
      {{{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}, "/x/huggingface/hub"},
      {{{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/hf"}}, "/hf/hub"},
      {{{"HOME", "/h"}, {"HF_HOME", "~/hf"}}, "/h/hf/hub"},
      {{{"HOME", "/h"}, {"HF_HOME", "$HOME/hf/${HOME}"}}, "/h/hf//h/hub"},
      {{{"HOME", "/h"}, {"HF_HOME", "/a$NOT_SET_AT_ALL/b"}}, "/a$NOT_SET_AT_ALL/b/hub"},
      {{{"HF_HOME", "/hf"}, {"HUGGINGFACE_HUB_CACHE", "/old"}}, "/old"},
      {{{"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_HUB_CACHE", "/new"}}, "/new"},
      {{{"HOME", "/h"}, {"ALAMBIC_CACHE", "/own"}}, "/own/hub"},  // ours
      {{{"HF_HOME", "/hf"}, {"ALAMBIC_CACHE", "/own"}}, "/hf/hub"},
  };
  for (const auto& [values, cache] : cases) {
    const Environment environment(values);
    EXPECT_EQ(hub_settings().cache, cache);
  }
}

TEST(HubSettings, FindTheTokenThatHfAuthLoginLeft) {
  const fs::path home = fresh_folder();
  write_file(home / "token", "from_home\n");
  write_file(home / "elsewhere", "  from_path \r\n");
  const auto token = [&](Values values) {
    values.emplace("HF_HOME", home);
    const Environment environment(std::move(values));
    return hub_settings().token;
  };
  EXPECT_EQ(token({}), "from_home");
  EXPECT_EQ(token({{"HF_TOKEN_PATH", home / "elsewhere"}}), "from_path");
  EXPECT_EQ(token({{"HF_TOKEN", "given\n"}}), "given");
  EXPECT_EQ(token({{"HF_TOKEN", ""}}), "from_home");
  EXPECT_EQ(token({{"HUGGING_FACE_HUB_TOKEN", "older"}}), "older");
  EXPECT_EQ(token({{"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}), "");
  EXPECT_EQ(token({{"HF_TOKEN_PATH", home / "none"}}), "");
}

TEST(HubSettings, AreOfflineForEveryWordOfIt) {
  for (const auto& [values, offline] :
       std::vector<std::pair<Values, bool>>{{{{"HF_HUB_OFFLINE", "1"}}, true},
                                            {{{"HF_HUB_OFFLINE", "true"}}, true},
                                            {{{"HF_HUB_OFFLINE", "0"}}, false},
                                            {{{"HF_HUB_OFFLINE", "false"}}, false},
                                            {{{"TRANSFORMERS_OFFLINE", "YES"}}, true},
                                            {{}, false}}) {
    const Environment environment(values);
    EXPECT_EQ(hub_settings().offline, offline);
  }
}

class SharedCache : public testing::Test {
 protected:
  void SetUp() override {
    settings_ = {.endpoint = server_.endpoint, .cache = fresh_folder(), .wait = 0.01};
  }
  fs::path fetch(const std::string& name, bool weights = true) const {
    return fetch_model(parse_hub_name(name).value(), settings_, weights);
  }
  fs::path home(const std::string& name) const {
    return settings_.cache / ("models--org--" + name);
  }
  size_t requests() const {
    std::string text;
    http_get({.url = settings_.endpoint + "/log"}, [&](long, auto piece) { text += piece; });
    return nlohmann::json::parse(text).size();
  }
  // What `from_pretrained` of transformers leaves of a model with two shards.
  void fetch_as_transformers() const {
    const fs::path folder = home("others") / "snapshots" / commit;
    fs::create_directories(folder);
    fs::create_directories(home("others") / "blobs");
    fs::create_directories(home("others") / "refs");
    write_file(home("others") / "refs/main", commit);
    const auto add = [&](const std::string& name, const std::string& text) {
      const std::string digest(40, static_cast<char>('0' + name.size() % 10));
      write_file(home("others") / "blobs" / digest, text);
      fs::create_symlink("../../blobs/" + digest, folder / name);
    };
    add("config.json", "{}");
    add("model.safetensors.index.json", R"({"weight_map": {"a": "s1", "b": "shard2"}})");
    add("s1", "one");
    add("shard2", "two");
  }

  HubServer server_;
  HubSettings settings_;
};

// Prevents: a model that huggingface_hub fetches again, since it does not find it.
TEST_F(SharedCache, HoldsBlobsSnapshotsAndRefs) {
  const fs::path folder = fetch("org/small");
  EXPECT_EQ(folder, home("small") / "snapshots" / commit);
  for (const std::string name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    ASSERT_TRUE(fs::is_symlink(folder / name)) << name;
    const std::string link = fs::read_symlink(folder / name);
    const std::string digest =
        name == "model.safetensors" ? sha256_file(folder / name) : git_blob_digest(folder / name);
    EXPECT_EQ(link, "../../blobs/" + digest);
  }
  EXPECT_EQ(read_file(home("small") / "refs/main"), commit);
  fetch("org/small@refs/pr/1");
  EXPECT_EQ(read_file(home("small") / "refs/refs/pr/1"), commit);
}

TEST_F(SharedCache, HoldsTheFilesThemselvesWhereLinksAreNotWanted) {
  settings_.links = false;
  const fs::path folder = fetch("org/small");
  EXPECT_FALSE(fs::is_symlink(folder / "config.json"));
  EXPECT_FALSE(fs::exists(home("small") / "blobs"));
  EXPECT_EQ(fetch("org/small"), folder);
}

// Prevents: gigabytes that come again with each commit.
TEST_F(SharedCache, FetchesNoBlobThatIsThere) {
  fetch("org/listed");
  const size_t before = requests();
  const fs::path dev = fetch("org/listed@dev");
  EXPECT_EQ(requests(), before + 1);  // the listing
  EXPECT_EQ(fs::file_size(dev / "model.safetensors"), 256u * 400);
}

TEST_F(SharedCache, TakesWhatTransformersHasFetched) {
  fetch_as_transformers();
  settings_.endpoint = "http://127.0.0.1:1";
  EXPECT_EQ(fetch("org/others"), home("others") / "snapshots" / commit);
  settings_.offline = true;
  EXPECT_EQ(fetch("org/others"), home("others") / "snapshots" / commit);
  EXPECT_EQ(fetch("org/others@" + commit), home("others") / "snapshots" / commit);
  fs::remove(home("others") / "snapshots" / commit / "shard2");
  EXPECT_THROW(fetch("org/others"), Error);
  fetch("org/others", /*weights=*/false);
}

// Prevents: a private model that was fetched with a token, and that no one without it can load.
TEST_F(SharedCache, TakesWhatItHasWhereTheHubDoesNotLetUs) {
  const fs::path folder = home("gated") / "snapshots" / commit;
  fs::create_directories(folder);
  fs::create_directories(home("gated") / "refs");
  write_file(home("gated") / "refs/main", commit);
  write_file(folder / "config.json", "{}");
  EXPECT_THROW(fetch("org/gated"), Error);
  write_file(folder / "model.safetensors", "x");
  EXPECT_EQ(fetch("org/gated"), folder);
}

TEST_F(SharedCache, MendsALinkThatLeadsNowhere) {
  const fs::path folder = fetch("org/small");
  fs::remove(fs::canonical(folder / "model.safetensors"));
  EXPECT_EQ(fetch("org/small@" + commit), folder);
  EXPECT_TRUE(fs::exists(folder / "model.safetensors"));
}

// Prevents: a shared cache that may only be read, and that fails to lock.
TEST_F(SharedCache, NeedsNoRightToWriteWhereAllIsThere) {
  const fs::path folder = fetch("org/small");
  fs::remove(home("small") / "refs/main");
  fs::permissions(home("small") / "refs", fs::perms(0500));
  fs::permissions(settings_.cache, fs::perms(0500));
  EXPECT_EQ(fetch("org/small"), folder);
  fs::permissions(settings_.cache, fs::perms(0700));
  fs::permissions(home("small") / "refs", fs::perms(0700));
}

// The library itself, where the interpreter that ALAMBIC_ORACLE names has it.
TEST_F(SharedCache, IsThatOfHuggingfaceHubItself) {
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (std::system((python + " -c 'import huggingface_hub' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no huggingface_hub; ALAMBIC_ORACLE names one that has";
  }
  const fs::path ours = fetch("org/small");
  const std::string command =
      fmt::format("HF_HOME={} HF_HUB_CACHE={} HF_ENDPOINT={} {} {}/tests/hub/shared_cache.py {}",
                  (settings_.cache / "home").string(), settings_.cache.string(), server_.endpoint,
                  python, ALAMBIC_SOURCE_DIR, ours.string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  settings_.offline = true;
  EXPECT_EQ(fetch("org/sharded"), home("sharded") / "snapshots" / commit);
}

}  // namespace
}  // namespace alambic::hub_cache_test
