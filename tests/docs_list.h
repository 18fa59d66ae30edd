// Lists in the documentation that are made from the tables that the readers use. In a page a list
// stands between `<!-- NAME -->` and `<!-- / -->`; `tools/docs-lists` writes them anew.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// Holds the list NAME of a page ("docs/formats.md") to what it is made from; writes it where
/// ALAMBIC_WRITE_DOCS is set.
inline void expect_docs_list(const std::string& page, const std::string& name,
                             const std::vector<std::string>& items, const std::string& around = "`",
                             const std::string& between = ", ") {
  std::string list;
  for (const std::string& item : items) {
    list += (list.empty() ? "" : between) + around + item + around;
  }
  const fs::path path = fs::path(ALAMBIC_SOURCE_DIR) / page;
  std::string text = read_file(path);
  const std::string open = "<!-- " + name + " -->", close = "<!-- / -->";
  const size_t at = text.find(open), begin = at + open.size();
  const size_t end = at == text.npos ? at : text.find(close, begin);
  ASSERT_NE(end, text.npos) << page << " has no list " << open << " … " << close;
  if (std::getenv("ALAMBIC_WRITE_DOCS") != nullptr) {
    write_file(path, text.replace(begin, end - begin, list));
  } else {
    EXPECT_EQ(text.substr(begin, end - begin), list)
        << page << ": " << name << ": run tools/docs-lists";
  }
}

}  // namespace alambic
