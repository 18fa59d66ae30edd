// libcurl, loaded when it is first needed: linked, it and its thirty libraries would make every
// start of the program several times slower.
#pragma once

#include <curl/curl.h>

namespace alambic {

struct CurlLibrary {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) init = nullptr;
  decltype(&::curl_easy_cleanup) cleanup = nullptr;
  decltype(&::curl_easy_setopt) setopt = nullptr;
  decltype(&::curl_easy_getinfo) getinfo = nullptr;
  decltype(&::curl_easy_perform) perform = nullptr;
  decltype(&::curl_easy_strerror) strerror = nullptr;
};

/// An environment error, with the Debian package to install, when there is no libcurl.
const CurlLibrary& curl_library();

}  // namespace alambic
