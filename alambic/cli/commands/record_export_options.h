#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

enum class RecordForm { spdx, cyclonedx, card, annex_xi };

struct RecordExportOptions : Options {
  std::string folder, out;
  RecordForm form = RecordForm::spdx;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.text("folder", folder, "folder of a model or of a run, with its record").required().path();
    v.choice("form", form,
             {{"spdx", RecordForm::spdx},
              {"cyclonedx", RecordForm::cyclonedx},
              {"card", RecordForm::card},
              {"annex-xi", RecordForm::annex_xi}},
             "SPDX 3.0.1, CycloneDX 1.6, a section of a model card, the fields of the EU AI Act's "
             "Annex XI");
    v.text("out", out, "file that is written").required().path();
    v.flag("overwrite", overwrite, "replace the file");
  }
};

}  // namespace alambic
