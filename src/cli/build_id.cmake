# Writes OUT: of which commit this build is. Run at each build; the file changes only when that does, and
# without git, or outside a checkout, only the version is known.
set(id "${VERSION}")
find_program(git git)
if(git AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND ${git} rev-parse --short=12 HEAD WORKING_DIRECTORY ${SOURCE}
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed EQUAL 0)
    set(id "${VERSION}+${commit}")
  endif()
endif()
set(text "/* Made by src/cli/build_id.cmake. */\n#define RF_BUILD \"${id}\"\n")
if(EXISTS "${OUT}")
  file(READ "${OUT}" old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE "${OUT}" "${text}")
endif()
