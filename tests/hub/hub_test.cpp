// Against a server of the hub's routes (hub_server.py says which models it has).
#include "alambic/hub/hub.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/sha256.h"
#include "alambic/hub/http.h"
#include "tests/hub/hub_server.h"
#include "tests/io/io_testing.h"

namespace alambic::hub_test {
namespace {

const std::string commit(40, 'a'), other_commit(40, 'b');

class Hub : public testing::Test {
 protected:
  void SetUp() override {
    settings_ = {.endpoint = server_.endpoint, .cache = fresh_folder(), .wait = 0.01};
  }

  fs::path fetch(const std::string& name, bool weights = true) const {
    const auto parsed = parse_hub_name(name);
    return fetch_model(parsed.value(), settings_, weights);
  }
  void expect_refused(const std::string& name, Exit exit, const std::vector<std::string>& words) {
    try {
      fetch(name);
      ADD_FAILURE() << name << " was fetched";
    } catch (const Error& error) {
      const std::string text = std::string(error.what()) + " | " + error.hint();
      EXPECT_EQ(error.exit(), exit) << text;
      for (const std::string& word : words) EXPECT_NE(text.find(word), text.npos) << text;
    }
  }
  // [path, Range, Authorization] of every request.
  nlohmann::json log() const {
    std::string text;
    http_get({.url = settings_.endpoint + "/log"}, [&](long, auto piece) { text += piece; });
    return nlohmann::json::parse(text);
  }
  static std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  HubServer server_;
  HubSettings settings_;
};

using Names = std::vector<std::string>;

std::string weights() {
  std::string bytes;
  for (int i = 0; i < 256 * 400; ++i) bytes += static_cast<char>(i % 256);
  return bytes;
}

TEST_F(Hub, GivesTheFilesThatAreNeeded) {
  const fs::path folder = fetch("org/small");
  EXPECT_EQ(folder, settings_.cache / "models--org--small" / "snapshots" / commit);
  EXPECT_EQ(names_in(folder), (Names{"config.json", "model.safetensors", "tokenizer.json"}));
  EXPECT_EQ(read_file(folder / "config.json"), R"({"model_type": "llama"})");
  EXPECT_TRUE(read_file(folder / "model.safetensors") == weights());
  EXPECT_EQ(hub_name_of(folder), "org/small@" + commit);
}

TEST_F(Hub, GivesShardsOfTheIndexAndElsePickles) {
  EXPECT_EQ(names_in(fetch("org/sharded")),
            (Names{"config.json", "model-00001-of-00002.safetensors",
                   "model-00002-of-00002.safetensors", "model.safetensors.index.json"}));
  EXPECT_EQ(names_in(fetch("org/binary")), (Names{"config.json", "pytorch_model.bin"}));
}

TEST_F(Hub, GivesOtherRevisionsAndAsksAgainForBranchesOnly) {
  EXPECT_EQ(fetch("org/small@dev").filename(), other_commit);
  EXPECT_EQ(fetch("org/small@refs/pr/1").filename(), commit);
  const size_t before = log().size();
  fetch("org/small@" + commit);
  EXPECT_EQ(log().size(), before);
  fetch("org/small@refs/pr/1");
  EXPECT_EQ(log().size(), before + 1);  // the listing, no file
}

TEST_F(Hub, GivesTheSmallFilesAlone) {
  EXPECT_EQ(names_in(fetch("org/small", false)), (Names{"config.json", "tokenizer.json"}));
  settings_.offline = true;
  fetch("org/small", false);
  expect_refused("org/small", Exit::input, {"not in the cache"});
}

TEST_F(Hub, GoesOnWhereATransferBrokeOff) {
  EXPECT_TRUE(read_file(fetch("org/breaking") / "model.safetensors") == weights());
  std::vector<std::string> ranges;
  for (const auto& request : log()) {
    const std::string path = request[0];
    if (path.starts_with("/cdn/")) ranges.push_back(request[1]);
  }
  EXPECT_EQ(ranges, (Names{"", "bytes=51200-", "bytes=76800-"}));
}

// Prevents: a second half behind a whole file.
TEST_F(Hub, BeginsAnewWhereTheServerKnowsNoRanges) {
  EXPECT_TRUE(read_file(fetch("org/noranges") / "model.safetensors") == weights());
}

TEST_F(Hub, GoesOnWithWhatAnEarlierRunLeft) {
  const fs::path folder = settings_.cache / "models--org--small" / "snapshots" / commit;
  fs::create_directories(folder);
  write_file(folder / "model.safetensors.part", weights().substr(0, 1000));
  EXPECT_TRUE(read_file(fetch("org/small") / "model.safetensors") == weights());
  EXPECT_NE(log().dump().find("bytes=1000-"), std::string::npos);
}

TEST_F(Hub, TakesAWholePartAndDropsAWrongOne) {
  const fs::path folder = settings_.cache / "models--org--small" / "snapshots" / commit;
  fs::create_directories(folder);
  write_file(folder / "model.safetensors.part", weights());
  EXPECT_TRUE(read_file(fetch("org/small") / "model.safetensors") == weights());
  fs::remove_all(settings_.cache / "models--org--small");
  fs::create_directories(folder);
  write_file(folder / "model.safetensors.part", std::string(5000, 'x'));
  EXPECT_TRUE(read_file(fetch("org/small") / "model.safetensors") == weights());
}

TEST_F(Hub, RefusesBytesThatAreNotThoseOfTheDigest) {
  expect_refused("org/wrong", Exit::environment, {"digest", "the hub says", "try again"});
  const fs::path folder = settings_.cache / "models--org--wrong" / "snapshots" / commit;
  EXPECT_EQ(names_in(folder), (Names{"config.json", "tokenizer.json"}));
  settings_.offline = true;
  expect_refused("org/wrong", Exit::input, {"not in the cache"});
}

TEST_F(Hub, RefusesFilesWithoutADigestOrLongerThanListed) {
  expect_refused("org/undigested", Exit::environment, {"ETag should be a digest"});
  expect_refused("org/longer", Exit::environment, {"longer than the 102399 bytes"});
}

TEST_F(Hub, RefusesNamesThatLeaveTheFolder) {
  expect_refused("org/leaving", Exit::environment, {"outside its folder", "../outside"});
  expect_refused("org/shardless", Exit::input, {"../../../outside.safetensors", "does not have"});
  EXPECT_FALSE(fs::exists(settings_.cache / "models--org--leaving" / "snapshots"));
}

TEST_F(Hub, SaysWhatIsWrongWithTheName) {
  expect_refused("org/none", Exit::input, {"org/none", "no such model", "org/name@revision"});
  expect_refused("org/small@none", Exit::input, {"no such model, revision"});
  expect_refused("org/gated", Exit::input, {"401", "set HF_TOKEN"});
  settings_.token = "secret";
  expect_refused("org/gated", Exit::input, {"HF_TOKEN", "gated"});
  expect_refused("org/gguf", Exit::input, {"no safetensors", "GGUF files"});
  expect_refused("org/other", Exit::input, {"not valid JSON"});
}

// Prevents: a token in the logs of whoever stores the files.
TEST_F(Hub, SendsTheTokenToTheHubAlone) {
  settings_.token = "secret";
  fetch("org/small");
  int sent = 0, elsewhere = 0;
  for (const auto& request : log()) {
    const std::string path = request[0], token = request[2];
    if (path.starts_with("/cdn/")) {
      EXPECT_EQ(token, "");
      ++elsewhere;
    } else {
      EXPECT_EQ(token, "Bearer secret");
      ++sent;
    }
  }
  EXPECT_EQ(elsewhere, 1);
  EXPECT_EQ(sent, 4);  // the listing and three files
}

TEST_F(Hub, TakesTheCacheWithoutANetwork) {
  expect_refused("org/busy", Exit::environment, {"503"});
  const fs::path folder = fetch("org/small");
  const std::string endpoint = settings_.endpoint;
  settings_.endpoint = "http://127.0.0.1:1";
  EXPECT_EQ(fetch("org/small"), folder);
  expect_refused("org/sharded", Exit::environment, {"127.0.0.1", "check the network"});
  settings_.offline = true;
  EXPECT_EQ(fetch("org/small"), folder);
  EXPECT_EQ(fetch("org/small@" + commit), folder);
  expect_refused("org/small@dev", Exit::input, {"not in the cache", "--offline"});
  settings_.endpoint = endpoint;
}

size_t open_descriptors() {
  return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

// Prevents: a descriptor lost each time the model's lock cannot be had.
TEST_F(Hub, ALockThatCannotBeHadLeavesNothingOpen) {
  const fs::path home = settings_.cache / ".locks" / "models--org--small";
  fs::create_directories(home);
  const int held = ::open((home / "alambic.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  // A signal ends the wait for it; again and again, lest the first come too early.
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, &before);
  const itimerval often{{0, 20000}, {0, 20000}}, never{};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const size_t opened = open_descriptors();
  expect_refused("org/small", Exit::environment,
                 {"cannot lock", home / "alambic.lock", "Interrupted"});
  EXPECT_EQ(open_descriptors(), opened);
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  ::close(held);
}

TEST(HubName, IsOrgAndNameAndMaybeARevision) {
  EXPECT_EQ(parse_hub_name("Qwen/Qwen3-0.6B")->id, "Qwen/Qwen3-0.6B");
  EXPECT_EQ(parse_hub_name("Qwen/Qwen3-0.6B")->revision, "main");
  EXPECT_EQ(parse_hub_name("a/b@refs/pr/1")->revision, "refs/pr/1");
  for (const char* text : {"", "a", "a/", "/a", "a/b/c", "./a", "../a", "a/..", "a/b@", "a/b@../c",
                           "a/b@/c", "a/b c", "a--b/c", "a/.b", "~/a", "a@b/c", "a=b/c"}) {
    EXPECT_FALSE(parse_hub_name(text)) << text;
  }
}

TEST(HubName, OfAFolderThatIsNoSnapshotIsNothing) {
  for (const std::string& folder : Names{"", "models--a--b", "models--a--b/snapshots/x",
                                         "a--b/snapshots/" + commit, "models--a--b/" + commit}) {
    EXPECT_EQ(hub_name_of(folder), "") << folder;
  }
}

TEST(GitBlobDigest, IsWhatGitSays) {
  const fs::path file = fresh_folder() / "hello";
  write_file(file, "hello\n");
  EXPECT_EQ(git_blob_digest(file), "ce013625030ba8dba906f756967f9e9ca394464a");
}

}  // namespace
}  // namespace alambic::hub_test
