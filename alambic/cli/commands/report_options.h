#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

struct ReportOptions : Options {
  std::vector<std::string> runs;
  std::string out;
  std::string title;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.list("run", runs, "run folder; several are compared on one page").required().path();
    v.text("out", out, "HTML file; default: report.html in the first run folder").path();
    v.flag("overwrite", overwrite,
           "replace what --out names; an earlier page in the run folder is replaced without it");
    v.text("title", title, "heading of the page; default: the run folder's name");
  }
};

}  // namespace alambic
