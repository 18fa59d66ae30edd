#include "alambic/base/error.h"
#include "alambic/base/output_place.h"
#include "alambic/cli/commands/record_export_options.h"
#include "alambic/cli/run.h"
#include "alambic/provenance/exports.h"
#include "alambic/provenance/run_record.h"

namespace alambic {
namespace {

std::string text_of(const nlohmann::json& record, RecordForm form) {
  switch (form) {
    case RecordForm::spdx:
      return spdx_of(record).dump(2) + "\n";
    case RecordForm::cyclonedx:
      return cyclonedx_of(record).dump(2) + "\n";
    case RecordForm::card:
      return card_section_of(record);
    case RecordForm::annex_xi:
      return annex_xi_of(record);
  }
  throw bug("a form of no kind");
}

}  // namespace

int run(const RecordExportOptions& options) {
  check_output_file("--out", options.out, options.overwrite);
  const auto record = read_record(options.folder);
  if (!record) {
    throw input_error("{} has no {}", options.folder, record_name)
        .with_hint("distill and train write one");
  }
  write_file(options.out, text_of(*record, options.form));
  return 0;
}

}  // namespace alambic
