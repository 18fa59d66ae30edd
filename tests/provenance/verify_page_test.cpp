#include "alambic/provenance/verify_page.h"

#include <gtest/gtest.h>

namespace alambic::verify_page_test {
namespace {

// Prevents: a name in a record that runs as a script in the receiver's browser.
TEST(VerifyPage, EscapesEverything) {
  const std::string bad = "<script>alert(1)</script>";
  const std::string page =
      verify_page(bad, {{FolderFault::Kind::added, bad, bad}}, {{bad, bad}, {"root", "0"}});
  EXPECT_EQ(page.find("<script"), std::string::npos) << page;
  EXPECT_NE(page.find("NOT what was signed"), std::string::npos);
  EXPECT_NE(page.find("added"), std::string::npos);
  EXPECT_EQ(verify_page("m", {}, {}).find("NOT"), std::string::npos);
}

}  // namespace
}  // namespace alambic::verify_page_test
