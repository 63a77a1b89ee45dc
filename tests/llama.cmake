# llama.cpp for the tests: without its command line's library and without pictures, and little optimised; a quarter of the
# time. Plain variables hide the cache's of the same name, which llama-cpp-python sets by force.
set(LLAMA_BUILD_COMMON OFF)
set(LLAVA_BUILD OFF)
set(CMAKE_C_FLAGS_RELEASE -O1)
set(CMAKE_CXX_FLAGS_RELEASE -O1)
