#include "alambic/provenance/verify_page.h"

#include "alambic/base/error.h"
#include "alambic/report/html_escape.h"
#include "alambic/report/page_style.h"

namespace alambic {
namespace {

std::string row(const std::string& name, const std::string& text) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escape_html(name), escape_html(text));
}

}  // namespace

std::string verify_page(const std::string& folder, const std::vector<FolderFault>& faults,
                        const std::vector<std::pair<std::string, std::string>>& lines) {
  const std::string verdict = faults.empty() ? "verified" : "NOT what was signed";
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}: {1}</title>\n"
      "<style>{2}</style></head><body><main>\n<h1>{0}: {1}</h1>\n",
      escape_html(folder), verdict, page_style());
  if (!faults.empty()) {
    page += "<h2>Faults</h2><table>\n";
    for (const FolderFault& fault : faults) {
      page += row(kind_name(fault.kind), fault.where + ": " + fault.what);
    }
    page += "</table>\n";
  }
  page += "<h2>What made it</h2><table>\n";
  for (const auto& [name, text] : lines) page += row(name, text);
  return page + "</table></main></body></html>\n";
}

}  // namespace alambic
