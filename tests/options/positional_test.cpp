#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/options/parse.h"

namespace alambic::positional_test {
namespace {

struct FolderOptions : Options {
  std::string folder, key;
  void visit(OptionVisitor& v) override {
    v.text("folder", folder, "f").required();
    v.text("key", key, "k");
  }
};

TEST(Folder, MayStandAlone) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"models/m", "--key", "k"},
                                                {"--key", "k", "models/m"},
                                                {"--key", "k", "--folder", "models/m"}}) {
    FolderOptions options;
    parse_options("verify", words, options);
    EXPECT_EQ(options.folder, "models/m");
    EXPECT_EQ(options.key, "k");
  }
}

TEST(Folder, StandsOnce) {
  FolderOptions options;
  EXPECT_THROW(parse_options("verify", {"a", "b"}, options), Error);
  EXPECT_THROW(parse_options("verify", {"a", "--folder", "b"}, options), Error);
  EXPECT_THROW(parse_options("verify", {"--key", "k"}, options), Error);
}

}  // namespace
}  // namespace alambic::positional_test
