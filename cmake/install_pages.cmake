# Run by the installation, with ALAMBIC_PROGRAM: share/man/man1/ and the completions of bash, zsh
# and fish, from the program's own table of options.
set(_share "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share")

# Writes what `alambic WORD…` prints to the file `path` under share/.
function(alambic_page path)
  get_filename_component(folder "${_share}/${path}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  execute_process(COMMAND "${ALAMBIC_PROGRAM}" ${ARGN} OUTPUT_FILE "${_share}/${path}"
                  COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "Installing: ${_share}/${path}")
endfunction()

alambic_page(man/man1/alambic.1 help --man)
execute_process(COMMAND "${ALAMBIC_PROGRAM}" help --names OUTPUT_VARIABLE _names
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" _names "${_names}")
foreach(_name IN LISTS _names)
  alambic_page(man/man1/alambic-${_name}.1 help --man ${_name})
endforeach()
alambic_page(bash-completion/completions/alambic completion bash)
alambic_page(zsh/site-functions/_alambic completion zsh)
alambic_page(fish/vendor_completions.d/alambic.fish completion fish)
