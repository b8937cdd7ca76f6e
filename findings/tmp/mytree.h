


    // !!! This file is generated using emlearn !!!

    #include <stdint.h>
    

static inline int32_t mytree_tree_0(const int16_t *features, int32_t features_length) {
          if (features[43] < 7) {
              if (features[26] < 3) {
                  if (features[62] < 21) {
                      if (features[13] < 23) {
                          if (features[46] < 1) {
                              if (features[20] < 8) {
                                  return 3;
                              } else {
                                  return 8;
                              }
                          } else {
                              return 3;
                          }
                      } else {
                          if (features[28] < 16) {
                              return 9;
                          } else {
                              if (features[19] < 17) {
                                  return 3;
                              } else {
                                  return 1;
                              }
                          }
                      }
                  } else {
                      if (features[59] < 31) {
                          if (features[3] < 23) {
                              return 3;
                          } else {
                              return 1;
                          }
                      } else {
                          if (features[3] < 30) {
                              return 9;
                          } else {
                              return 2;
                          }
                      }
                  }
              } else {
                  if (features[44] < 7) {
                      if (features[34] < 13) {
                          if (features[21] < 19) {
                              if (features[20] < 18) {
                                  if (features[37] < 19) {
                                      if (features[17] < 13) {
                                          if (features[58] < 18) {
                                              return 0;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[12] < 19) {
                                          return 5;
                                      } else {
                                          if (features[46] < 19) {
                                              return 5;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[12] < 15) {
                                      return 9;
                                  } else {
                                      if (features[60] < 25) {
                                          return 9;
                                      } else {
                                          return 3;
                                      }
                                  }
                              }
                          } else {
                              if (features[20] < 1) {
                                  if (features[41] < 3) {
                                      return 9;
                                  } else {
                                      return 0;
                                  }
                              } else {
                                  if (features[60] < 19) {
                                      if (features[2] < 12) {
                                          if (features[44] < 4) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[35] < 8) {
                                              return 5;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  } else {
                                      if (features[38] < 1) {
                                          if (features[36] < 25) {
                                              return 9;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[36] < 1) {
                              if (features[5] < 25) {
                                  if (features[21] < 3) {
                                      if (features[9] < 12) {
                                          return 5;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      return 0;
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              if (features[21] < 14) {
                                  if (features[2] < 5) {
                                      if (features[54] < 3) {
                                          return 4;
                                      } else {
                                          return 6;
                                      }
                                  } else {
                                      if (features[19] < 21) {
                                          if (features[26] < 20) {
                                              return 3;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[51] < 18) {
                                              return 6;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  }
                              } else {
                                  return 9;
                              }
                          }
                      }
                  } else {
                      if (features[29] < 15) {
                          if (features[5] < 11) {
                              if (features[46] < 3) {
                                  if (features[62] < 15) {
                                      if (features[34] < 10) {
                                          if (features[49] < 5) {
                                              return 5;
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  if (features[18] < 16) {
                                      return 3;
                                  } else {
                                      if (features[13] < 7) {
                                          return 6;
                                      } else {
                                          if (features[42] < 14) {
                                              return 5;
                                          } else {
                                              if (features[25] < 8) {
                                                  return 8;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[21] < 6) {
                                  if (features[58] < 4) {
                                      return 6;
                                  } else {
                                      if (features[54] < 8) {
                                          return 5;
                                      } else {
                                          if (features[37] < 16) {
                                              return 3;
                                          } else {
                                              return 5;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[18] < 5) {
                                      return 3;
                                  } else {
                                      if (features[30] < 8) {
                                          if (features[26] < 29) {
                                              if (features[25] < 13) {
                                                  return 8;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              if (features[52] < 21) {
                                                  return 9;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          return 0;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[28] < 23) {
                              if (features[42] < 11) {
                                  if (features[20] < 11) {
                                      if (features[13] < 5) {
                                          return 4;
                                      } else {
                                          if (features[58] < 10) {
                                              return 7;
                                          } else {
                                              return 2;
                                          }
                                      }
                                  } else {
                                      if (features[19] < 8) {
                                          return 5;
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  return 0;
                              }
                          } else {
                              if (features[19] < 25) {
                                  if (features[33] < 5) {
                                      if (features[27] < 10) {
                                          return 3;
                                      } else {
                                          if (features[30] < 24) {
                                              if (features[60] < 13) {
                                                  if (features[5] < 18) {
                                                      return 8;
                                                  } else {
                                                      if (features[57] < 1) {
                                                          return 9;
                                                      } else {
                                                          return 5;
                                                      }
                                                  }
                                              } else {
                                                  if (features[20] < 31) {
                                                      if (features[37] < 31) {
                                                          return 9;
                                                      } else {
                                                          if (features[29] < 31) {
                                                              return 5;
                                                          } else {
                                                              return 9;
                                                          }
                                                      }
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          } else {
                                              return 7;
                                          }
                                      }
                                  } else {
                                      if (features[3] < 8) {
                                          if (features[35] < 28) {
                                              return 1;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[44] < 26) {
                                              if (features[53] < 13) {
                                                  return 5;
                                              } else {
                                                  return 7;
                                              }
                                          } else {
                                              return 4;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[25] < 6) {
                                      if (features[61] < 21) {
                                          if (features[10] < 1) {
                                              return 1;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      if (features[36] < 15) {
                                          return 5;
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          } else {
              if (features[38] < 1) {
                  if (features[10] < 23) {
                      if (features[27] < 29) {
                          if (features[29] < 1) {
                              if (features[62] < 1) {
                                  if (features[33] < 21) {
                                      if (features[20] < 14) {
                                          return 6;
                                      } else {
                                          if (features[2] < 8) {
                                              return 1;
                                          } else {
                                              if (features[17] < 9) {
                                                  return 3;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  return 6;
                              }
                          } else {
                              if (features[34] < 29) {
                                  if (features[35] < 25) {
                                      if (features[27] < 13) {
                                          if (features[14] < 28) {
                                              if (features[41] < 23) {
                                                  return 2;
                                              } else {
                                                  return 4;
                                              }
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          if (features[29] < 20) {
                                              return 1;
                                          } else {
                                              if (features[14] < 12) {
                                                  return 8;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[22] < 1) {
                                          if (features[10] < 1) {
                                              if (features[27] < 25) {
                                                  return 6;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              if (features[50] < 5) {
                                                  return 3;
                                              } else {
                                                  if (features[12] < 21) {
                                                      return 8;
                                                  } else {
                                                      return 2;
                                                  }
                                              }
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[44] < 10) {
                                      return 7;
                                  } else {
                                      if (features[50] < 11) {
                                          return 4;
                                      } else {
                                          if (features[42] < 29) {
                                              return 6;
                                          } else {
                                              return 4;
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[20] < 27) {
                              if (features[3] < 20) {
                                  if (features[34] < 15) {
                                      return 8;
                                  } else {
                                      return 6;
                                  }
                              } else {
                                  if (features[21] < 12) {
                                      return 1;
                                  } else {
                                      if (features[21] < 26) {
                                          return 7;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          } else {
                              if (features[58] < 20) {
                                  if (features[58] < 5) {
                                      return 1;
                                  } else {
                                      if (features[53] < 29) {
                                          if (features[36] < 7) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[28] < 25) {
                                      return 3;
                                  } else {
                                      if (features[59] < 25) {
                                          return 7;
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[26] < 13) {
                          if (features[17] < 3) {
                              if (features[63] < 1) {
                                  if (features[13] < 15) {
                                      if (features[62] < 1) {
                                          if (features[42] < 10) {
                                              return 5;
                                          } else {
                                              if (features[42] < 22) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[43] < 19) {
                                          if (features[15] < 2) {
                                              return 8;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[60] < 11) {
                                              return 7;
                                          } else {
                                              if (features[3] < 27) {
                                                  return 3;
                                              } else {
                                                  if (features[27] < 25) {
                                                      return 2;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  return 2;
                              }
                          } else {
                              if (features[26] < 7) {
                                  return 2;
                              } else {
                                  if (features[14] < 9) {
                                      if (features[50] < 3) {
                                          if (features[17] < 18) {
                                              return 3;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[14] < 11) {
                                          return 5;
                                      } else {
                                          if (features[37] < 7) {
                                              return 7;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[50] < 19) {
                              if (features[2] < 13) {
                                  if (features[2] < 7) {
                                      if (features[62] < 15) {
                                          if (features[53] < 6) {
                                              if (features[37] < 7) {
                                                  if (features[4] < 24) {
                                                      if (features[37] < 3) {
                                                          return 1;
                                                      } else {
                                                          return 7;
                                                      }
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[9] < 1) {
                                          if (features[6] < 2) {
                                              return 4;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[51] < 28) {
                                              return 8;
                                          } else {
                                              if (features[2] < 9) {
                                                  return 5;
                                              } else {
                                                  if (features[10] < 29) {
                                                      return 2;
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[9] < 3) {
                                      if (features[13] < 12) {
                                          return 1;
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      if (features[46] < 2) {
                                          if (features[54] < 5) {
                                              return 5;
                                          } else {
                                              if (features[3] < 23) {
                                                  return 1;
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      } else {
                                          return 3;
                                      }
                                  }
                              }
                          } else {
                              if (features[19] < 31) {
                                  if (features[10] < 25) {
                                      if (features[2] < 5) {
                                          return 8;
                                      } else {
                                          return 6;
                                      }
                                  } else {
                                      if (features[28] < 6) {
                                          if (features[9] < 10) {
                                              return 6;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[49] < 14) {
                                              if (features[4] < 11) {
                                                  if (features[10] < 29) {
                                                      return 8;
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  if (features[1] < 4) {
                                                      return 8;
                                                  } else {
                                                      return 7;
                                                  }
                                              }
                                          } else {
                                              return 5;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[12] < 18) {
                                      if (features[60] < 27) {
                                          return 1;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[54] < 3) {
                      if (features[52] < 23) {
                          if (features[12] < 7) {
                              if (features[33] < 8) {
                                  return 7;
                              } else {
                                  return 4;
                              }
                          } else {
                              if (features[53] < 8) {
                                  return 7;
                              } else {
                                  if (features[33] < 1) {
                                      if (features[19] < 9) {
                                          return 3;
                                      } else {
                                          if (features[11] < 26) {
                                              return 8;
                                          } else {
                                              return 0;
                                          }
                                      }
                                  } else {
                                      return 4;
                                  }
                              }
                          }
                      } else {
                          if (features[2] < 3) {
                              if (features[25] < 1) {
                                  if (features[10] < 4) {
                                      return 4;
                                  } else {
                                      if (features[50] < 11) {
                                          return 7;
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  if (features[58] < 1) {
                                      if (features[18] < 29) {
                                          return 4;
                                      } else {
                                          if (features[53] < 21) {
                                              return 4;
                                          } else {
                                              return 0;
                                          }
                                      }
                                  } else {
                                      if (features[20] < 15) {
                                          return 4;
                                      } else {
                                          return 0;
                                      }
                                  }
                              }
                          } else {
                              if (features[25] < 5) {
                                  if (features[33] < 2) {
                                      if (features[45] < 29) {
                                          if (features[27] < 16) {
                                              return 0;
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  if (features[36] < 19) {
                                      return 0;
                                  } else {
                                      if (features[5] < 15) {
                                          return 4;
                                      } else {
                                          return 5;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[35] < 15) {
                          if (features[54] < 11) {
                              if (features[27] < 25) {
                                  if (features[44] < 19) {
                                      return 0;
                                  } else {
                                      return 2;
                                  }
                              } else {
                                  if (features[5] < 15) {
                                      return 6;
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              if (features[12] < 14) {
                                  return 6;
                              } else {
                                  if (features[26] < 26) {
                                      if (features[27] < 16) {
                                          return 2;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 0;
                                  }
                              }
                          }
                      } else {
                          if (features[22] < 2) {
                              if (features[10] < 25) {
                                  return 6;
                              } else {
                                  if (features[43] < 16) {
                                      return 6;
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              return 8;
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_1(const int16_t *features, int32_t features_length) {
          if (features[34] < 7) {
              if (features[19] < 23) {
                  if (features[51] < 27) {
                      if (features[30] < 3) {
                          if (features[35] < 17) {
                              if (features[27] < 31) {
                                  if (features[4] < 19) {
                                      if (features[44] < 15) {
                                          if (features[25] < 8) {
                                              if (features[36] < 23) {
                                                  return 9;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[61] < 15) {
                                              if (features[34] < 1) {
                                                  return 9;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              return 2;
                                          }
                                      }
                                  } else {
                                      if (features[21] < 5) {
                                          if (features[36] < 5) {
                                              return 5;
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          if (features[29] < 27) {
                                              if (features[28] < 21) {
                                                  if (features[46] < 4) {
                                                      return 2;
                                                  } else {
                                                      if (features[25] < 1) {
                                                          return 3;
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              } else {
                                                  if (features[44] < 1) {
                                                      if (features[34] < 1) {
                                                          return 3;
                                                      } else {
                                                          if (features[21] < 22) {
                                                              return 9;
                                                          } else {
                                                              return 3;
                                                          }
                                                      }
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          } else {
                                              if (features[45] < 29) {
                                                  if (features[26] < 12) {
                                                      if (features[46] < 5) {
                                                          if (features[20] < 15) {
                                                              return 2;
                                                          } else {
                                                              return 1;
                                                          }
                                                      } else {
                                                          return 8;
                                                      }
                                                  } else {
                                                      return 9;
                                                  }
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[60] < 28) {
                                      if (features[35] < 14) {
                                          return 5;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[29] < 10) {
                                          return 3;
                                      } else {
                                          if (features[37] < 29) {
                                              return 9;
                                          } else {
                                              if (features[43] < 11) {
                                                  return 3;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[18] < 15) {
                                  if (features[42] < 8) {
                                      if (features[58] < 7) {
                                          if (features[18] < 3) {
                                              return 1;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[20] < 12) {
                                          return 7;
                                      } else {
                                          return 2;
                                      }
                                  }
                              } else {
                                  if (features[6] < 8) {
                                      if (features[50] < 27) {
                                          if (features[52] < 27) {
                                              if (features[43] < 7) {
                                                  if (features[12] < 21) {
                                                      return 9;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  if (features[57] < 1) {
                                                      return 8;
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          if (features[54] < 10) {
                                              if (features[44] < 20) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      }
                                  } else {
                                      if (features[9] < 7) {
                                          if (features[19] < 13) {
                                              return 7;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 5;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[51] < 19) {
                              if (features[35] < 21) {
                                  if (features[43] < 19) {
                                      return 9;
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  if (features[20] < 10) {
                                      return 7;
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              if (features[44] < 12) {
                                  return 9;
                              } else {
                                  if (features[53] < 8) {
                                      return 7;
                                  } else {
                                      if (features[3] < 28) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[54] < 1) {
                          if (features[21] < 7) {
                              return 5;
                          } else {
                              if (features[61] < 2) {
                                  if (features[28] < 30) {
                                      return 7;
                                  } else {
                                      if (features[10] < 31) {
                                          return 9;
                                      } else {
                                          return 4;
                                      }
                                  }
                              } else {
                                  if (features[50] < 16) {
                                      return 8;
                                  } else {
                                      return 2;
                                  }
                              }
                          }
                      } else {
                          if (features[17] < 29) {
                              if (features[27] < 24) {
                                  if (features[44] < 1) {
                                      return 9;
                                  } else {
                                      return 2;
                                  }
                              } else {
                                  if (features[58] < 2) {
                                      return 8;
                                  } else {
                                      if (features[18] < 23) {
                                          return 3;
                                      } else {
                                          return 9;
                                      }
                                  }
                              }
                          } else {
                              return 3;
                          }
                      }
                  }
              } else {
                  if (features[46] < 12) {
                      if (features[12] < 27) {
                          if (features[17] < 5) {
                              if (features[22] < 1) {
                                  if (features[27] < 19) {
                                      return 2;
                                  } else {
                                      if (features[2] < 1) {
                                          return 8;
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[38] < 7) {
                                      return 8;
                                  } else {
                                      return 9;
                                  }
                              }
                          } else {
                              if (features[4] < 23) {
                                  if (features[36] < 15) {
                                      if (features[6] < 15) {
                                          return 2;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  return 5;
                              }
                          }
                      } else {
                          if (features[60] < 8) {
                              if (features[20] < 15) {
                                  return 5;
                              } else {
                                  if (features[29] < 2) {
                                      return 9;
                                  } else {
                                      return 7;
                                  }
                              }
                          } else {
                              if (features[37] < 1) {
                                  if (features[43] < 20) {
                                      if (features[52] < 27) {
                                          return 5;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[59] < 31) {
                                          return 1;
                                      } else {
                                          return 2;
                                      }
                                  }
                              } else {
                                  if (features[58] < 10) {
                                      return 1;
                                  } else {
                                      if (features[25] < 1) {
                                          return 3;
                                      } else {
                                          return 5;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[46] < 19) {
                          if (features[53] < 30) {
                              if (features[11] < 30) {
                                  return 3;
                              } else {
                                  return 2;
                              }
                          } else {
                              if (features[12] < 27) {
                                  return 2;
                              } else {
                                  if (features[62] < 6) {
                                      return 9;
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      } else {
                          return 9;
                      }
                  }
              }
          } else {
              if (features[30] < 5) {
                  if (features[61] < 17) {
                      if (features[42] < 9) {
                          if (features[26] < 19) {
                              if (features[42] < 3) {
                                  if (features[60] < 30) {
                                      if (features[59] < 24) {
                                          if (features[44] < 11) {
                                              return 9;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[10] < 18) {
                                          return 1;
                                      } else {
                                          return 9;
                                      }
                                  }
                              } else {
                                  if (features[19] < 16) {
                                      return 7;
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              if (features[29] < 29) {
                                  if (features[52] < 17) {
                                      if (features[20] < 1) {
                                          if (features[14] < 16) {
                                              return 5;
                                          } else {
                                              if (features[2] < 3) {
                                                  return 8;
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      } else {
                                          if (features[43] < 14) {
                                              if (features[42] < 3) {
                                                  return 9;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              if (features[34] < 31) {
                                                  return 8;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[58] < 1) {
                                          if (features[6] < 7) {
                                              return 1;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[20] < 16) {
                                              return 5;
                                          } else {
                                              if (features[6] < 14) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[51] < 8) {
                                      return 9;
                                  } else {
                                      if (features[30] < 3) {
                                          return 4;
                                      } else {
                                          return 5;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[38] < 1) {
                              if (features[19] < 31) {
                                  if (features[28] < 3) {
                                      if (features[10] < 23) {
                                          if (features[27] < 13) {
                                              return 4;
                                          } else {
                                              return 6;
                                          }
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[18] < 5) {
                                          if (features[59] < 22) {
                                              return 1;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[21] < 7) {
                                              if (features[43] < 14) {
                                                  return 5;
                                              } else {
                                                  if (features[47] < 1) {
                                                      return 4;
                                                  } else {
                                                      return 2;
                                                  }
                                              }
                                          } else {
                                              if (features[6] < 18) {
                                                  if (features[25] < 13) {
                                                      if (features[37] < 21) {
                                                          if (features[12] < 31) {
                                                              return 8;
                                                          } else {
                                                              if (features[54] < 6) {
                                                                  return 8;
                                                              } else {
                                                                  return 2;
                                                              }
                                                          }
                                                      } else {
                                                          return 4;
                                                      }
                                                  } else {
                                                      if (features[44] < 14) {
                                                          return 0;
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[10] < 28) {
                                      if (features[45] < 22) {
                                          if (features[20] < 22) {
                                              return 8;
                                          } else {
                                              if (features[59] < 11) {
                                                  return 8;
                                              } else {
                                                  if (features[2] < 13) {
                                                      return 1;
                                                  } else {
                                                      if (features[29] < 2) {
                                                          return 8;
                                                      } else {
                                                          return 1;
                                                      }
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[50] < 24) {
                                              if (features[53] < 20) {
                                                  return 4;
                                              } else {
                                                  if (features[2] < 6) {
                                                      return 6;
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[20] < 26) {
                                          return 1;
                                      } else {
                                          if (features[25] < 4) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[5] < 11) {
                                  if (features[26] < 7) {
                                      if (features[41] < 8) {
                                          return 7;
                                      } else {
                                          if (features[53] < 16) {
                                              return 7;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  } else {
                                      if (features[44] < 12) {
                                          return 6;
                                      } else {
                                          return 4;
                                      }
                                  }
                              } else {
                                  if (features[21] < 20) {
                                      if (features[46] < 15) {
                                          if (features[12] < 30) {
                                              if (features[33] < 8) {
                                                  if (features[61] < 6) {
                                                      return 7;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          return 6;
                                      }
                                  } else {
                                      if (features[60] < 22) {
                                          return 7;
                                      } else {
                                          return 0;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[52] < 29) {
                          if (features[12] < 27) {
                              if (features[6] < 1) {
                                  if (features[43] < 1) {
                                      if (features[2] < 2) {
                                          return 6;
                                      } else {
                                          if (features[4] < 27) {
                                              return 9;
                                          } else {
                                              if (features[12] < 16) {
                                                  return 5;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[22] < 1) {
                                          if (features[13] < 21) {
                                              if (features[63] < 5) {
                                                  if (features[9] < 6) {
                                                      return 6;
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  if (features[13] < 1) {
                                                      return 1;
                                                  } else {
                                                      return 6;
                                                  }
                                              }
                                          } else {
                                              if (features[43] < 6) {
                                                  return 9;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[50] < 9) {
                                      if (features[20] < 15) {
                                          if (features[62] < 9) {
                                              return 5;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              if (features[34] < 17) {
                                  if (features[43] < 13) {
                                      if (features[25] < 9) {
                                          return 9;
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  if (features[41] < 1) {
                                      if (features[13] < 1) {
                                          return 6;
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[30] < 1) {
                                          return 2;
                                      } else {
                                          if (features[45] < 20) {
                                              return 0;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[44] < 17) {
                              if (features[60] < 30) {
                                  return 0;
                              } else {
                                  return 2;
                              }
                          } else {
                              if (features[30] < 1) {
                                  if (features[36] < 15) {
                                      return 6;
                                  } else {
                                      if (features[9] < 5) {
                                          if (features[21] < 3) {
                                              if (features[42] < 29) {
                                                  return 1;
                                              } else {
                                                  return 6;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[38] < 15) {
                                      return 1;
                                  } else {
                                      return 4;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[50] < 17) {
                      if (features[33] < 7) {
                          if (features[43] < 1) {
                              if (features[4] < 31) {
                                  if (features[12] < 9) {
                                      return 5;
                                  } else {
                                      return 9;
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              if (features[53] < 11) {
                                  if (features[13] < 1) {
                                      return 4;
                                  } else {
                                      if (features[25] < 13) {
                                          return 7;
                                      } else {
                                          return 4;
                                      }
                                  }
                              } else {
                                  if (features[46] < 22) {
                                      if (features[26] < 30) {
                                          if (features[4] < 30) {
                                              if (features[13] < 22) {
                                                  return 4;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 0;
                                  }
                              }
                          }
                      } else {
                          if (features[5] < 24) {
                              if (features[13] < 7) {
                                  if (features[41] < 5) {
                                      if (features[19] < 8) {
                                          return 5;
                                      } else {
                                          if (features[60] < 31) {
                                              return 4;
                                          } else {
                                              if (features[30] < 11) {
                                                  return 6;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      }
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[3] < 31) {
                                      if (features[53] < 10) {
                                          if (features[25] < 7) {
                                              return 7;
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[18] < 5) {
                                              return 1;
                                          } else {
                                              return 0;
                                          }
                                      }
                                  } else {
                                      return 7;
                                  }
                              }
                          } else {
                              if (features[3] < 7) {
                                  return 1;
                              } else {
                                  if (features[44] < 18) {
                                      if (features[28] < 28) {
                                          return 5;
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      return 7;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[35] < 13) {
                          if (features[44] < 26) {
                              if (features[1] < 3) {
                                  if (features[43] < 15) {
                                      if (features[42] < 4) {
                                          return 5;
                                      } else {
                                          return 0;
                                      }
                                  } else {
                                      if (features[25] < 5) {
                                          return 4;
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              return 4;
                          }
                      } else {
                          if (features[43] < 15) {
                              if (features[20] < 12) {
                                  if (features[30] < 8) {
                                      return 8;
                                  } else {
                                      if (features[11] < 31) {
                                          if (features[33] < 8) {
                                              return 9;
                                          } else {
                                              return 6;
                                          }
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  return 9;
                              }
                          } else {
                              if (features[27] < 10) {
                                  return 8;
                              } else {
                                  return 7;
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_2(const int16_t *features, int32_t features_length) {
          if (features[21] < 3) {
              if (features[61] < 17) {
                  if (features[4] < 11) {
                      if (features[61] < 5) {
                          if (features[27] < 17) {
                              return 4;
                          } else {
                              return 7;
                          }
                      } else {
                          if (features[28] < 4) {
                              return 6;
                          } else {
                              return 2;
                          }
                      }
                  } else {
                      if (features[44] < 27) {
                          if (features[43] < 31) {
                              if (features[10] < 14) {
                                  if (features[25] < 13) {
                                      if (features[59] < 13) {
                                          return 4;
                                      } else {
                                          if (features[43] < 21) {
                                              return 6;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      return 3;
                                  }
                              } else {
                                  if (features[12] < 27) {
                                      if (features[27] < 3) {
                                          if (features[34] < 28) {
                                              return 0;
                                          } else {
                                              return 6;
                                          }
                                      } else {
                                          if (features[13] < 1) {
                                              if (features[27] < 18) {
                                                  if (features[54] < 12) {
                                                      return 6;
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      }
                                  } else {
                                      if (features[34] < 10) {
                                          return 3;
                                      } else {
                                          if (features[33] < 2) {
                                              if (features[5] < 2) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[35] < 31) {
                                  return 5;
                              } else {
                                  if (features[19] < 25) {
                                      if (features[11] < 27) {
                                          return 7;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      } else {
                          if (features[2] < 5) {
                              if (features[34] < 7) {
                                  return 1;
                              } else {
                                  return 4;
                              }
                          } else {
                              if (features[4] < 14) {
                                  return 6;
                              } else {
                                  if (features[21] < 1) {
                                      return 5;
                                  } else {
                                      return 3;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[58] < 15) {
                      if (features[42] < 8) {
                          if (features[12] < 21) {
                              if (features[19] < 20) {
                                  if (features[50] < 14) {
                                      return 5;
                                  } else {
                                      return 2;
                                  }
                              } else {
                                  return 1;
                              }
                          } else {
                              if (features[62] < 5) {
                                  if (features[53] < 29) {
                                      if (features[54] < 6) {
                                          return 1;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 3;
                                  }
                              } else {
                                  return 2;
                              }
                          }
                      } else {
                          if (features[54] < 2) {
                              if (features[38] < 6) {
                                  if (features[20] < 21) {
                                      return 6;
                                  } else {
                                      if (features[61] < 25) {
                                          return 1;
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  return 4;
                              }
                          } else {
                              if (features[37] < 31) {
                                  return 6;
                              } else {
                                  if (features[9] < 2) {
                                      return 6;
                                  } else {
                                      return 3;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[5] < 1) {
                          if (features[50] < 12) {
                              if (features[58] < 25) {
                                  return 1;
                              } else {
                                  return 9;
                              }
                          } else {
                              if (features[27] < 30) {
                                  return 2;
                              } else {
                                  if (features[20] < 26) {
                                      return 2;
                                  } else {
                                      if (features[29] < 17) {
                                          return 3;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[5] < 19) {
                              if (features[19] < 6) {
                                  return 5;
                              } else {
                                  return 3;
                              }
                          } else {
                              return 5;
                          }
                      }
                  }
              }
          } else {
              if (features[33] < 7) {
                  if (features[60] < 11) {
                      if (features[30] < 1) {
                          if (features[52] < 22) {
                              if (features[26] < 21) {
                                  if (features[3] < 14) {
                                      return 8;
                                  } else {
                                      if (features[59] < 27) {
                                          if (features[60] < 8) {
                                              if (features[26] < 18) {
                                                  if (features[43] < 22) {
                                                      return 3;
                                                  } else {
                                                      return 7;
                                                  }
                                              } else {
                                                  return 4;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 7;
                                      }
                                  }
                              } else {
                                  if (features[35] < 28) {
                                      if (features[50] < 8) {
                                          return 9;
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      if (features[27] < 18) {
                                          return 8;
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          } else {
                              if (features[19] < 3) {
                                  if (features[11] < 14) {
                                      return 1;
                                  } else {
                                      return 2;
                                  }
                              } else {
                                  if (features[18] < 28) {
                                      if (features[42] < 8) {
                                          return 5;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 9;
                                  }
                              }
                          }
                      } else {
                          if (features[17] < 13) {
                              if (features[19] < 28) {
                                  if (features[31] < 1) {
                                      if (features[37] < 19) {
                                          if (features[33] < 5) {
                                              return 7;
                                          } else {
                                              if (features[2] < 5) {
                                                  return 4;
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  return 9;
                              }
                          } else {
                              return 9;
                          }
                      }
                  } else {
                      if (features[26] < 5) {
                          if (features[10] < 7) {
                              if (features[42] < 31) {
                                  if (features[12] < 21) {
                                      if (features[59] < 23) {
                                          return 8;
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[27] < 15) {
                                          if (features[51] < 7) {
                                              return 7;
                                          } else {
                                              if (features[13] < 23) {
                                                  return 2;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[29] < 17) {
                                      if (features[20] < 23) {
                                          return 8;
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      return 2;
                                  }
                              }
                          } else {
                              if (features[42] < 3) {
                                  if (features[51] < 28) {
                                      if (features[19] < 18) {
                                          if (features[20] < 3) {
                                              if (features[13] < 29) {
                                                  return 7;
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          if (features[27] < 3) {
                                              return 2;
                                          } else {
                                              if (features[43] < 12) {
                                                  return 9;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[46] < 14) {
                                          return 2;
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[19] < 20) {
                                      if (features[51] < 23) {
                                          if (features[50] < 27) {
                                              if (features[14] < 9) {
                                                  if (features[61] < 22) {
                                                      return 8;
                                                  } else {
                                                      if (features[45] < 18) {
                                                          return 3;
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              } else {
                                                  if (features[28] < 28) {
                                                      return 7;
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          } else {
                                              if (features[37] < 13) {
                                                  return 2;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      } else {
                                          if (features[43] < 9) {
                                              return 3;
                                          } else {
                                              if (features[50] < 12) {
                                                  return 7;
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[1] < 8) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[3] < 11) {
                              if (features[13] < 17) {
                                  if (features[5] < 12) {
                                      if (features[59] < 5) {
                                          return 6;
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      return 9;
                                  }
                              } else {
                                  if (features[14] < 21) {
                                      if (features[19] < 29) {
                                          if (features[36] < 17) {
                                              return 9;
                                          } else {
                                              if (features[12] < 25) {
                                                  return 8;
                                              } else {
                                                  if (features[50] < 24) {
                                                      return 1;
                                                  } else {
                                                      return 2;
                                                  }
                                              }
                                          }
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      return 9;
                                  }
                              }
                          } else {
                              if (features[29] < 27) {
                                  if (features[35] < 11) {
                                      if (features[52] < 11) {
                                          if (features[54] < 12) {
                                              if (features[43] < 15) {
                                                  if (features[4] < 31) {
                                                      return 9;
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[20] < 5) {
                                                  return 0;
                                              } else {
                                                  if (features[36] < 7) {
                                                      return 9;
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[23] < 2) {
                                              if (features[51] < 26) {
                                                  if (features[34] < 12) {
                                                      if (features[29] < 13) {
                                                          return 3;
                                                      } else {
                                                          if (features[2] < 21) {
                                                              if (features[10] < 31) {
                                                                  return 2;
                                                              } else {
                                                                  return 9;
                                                              }
                                                          } else {
                                                              return 5;
                                                          }
                                                      }
                                                  } else {
                                                      return 0;
                                                  }
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              return 7;
                                          }
                                      }
                                  } else {
                                      if (features[12] < 29) {
                                          if (features[17] < 28) {
                                              if (features[55] < 2) {
                                                  if (features[35] < 23) {
                                                      if (features[12] < 19) {
                                                          return 8;
                                                      } else {
                                                          if (features[53] < 26) {
                                                              if (features[21] < 29) {
                                                                  return 9;
                                                              } else {
                                                                  return 7;
                                                              }
                                                          } else {
                                                              if (features[54] < 9) {
                                                                  return 8;
                                                              } else {
                                                                  if (features[9] < 7) {
                                                                      return 2;
                                                                  } else {
                                                                      return 3;
                                                                  }
                                                              }
                                                          }
                                                      }
                                                  } else {
                                                      if (features[6] < 18) {
                                                          if (features[19] < 31) {
                                                              if (features[42] < 2) {
                                                                  if (features[43] < 24) {
                                                                      if (features[51] < 5) {
                                                                          return 9;
                                                                      } else {
                                                                          return 3;
                                                                      }
                                                                  } else {
                                                                      return 8;
                                                                  }
                                                              } else {
                                                                  if (features[3] < 17) {
                                                                      if (features[33] < 1) {
                                                                          return 7;
                                                                      } else {
                                                                          return 8;
                                                                      }
                                                                  } else {
                                                                      return 8;
                                                                  }
                                                              }
                                                          } else {
                                                              if (features[60] < 20) {
                                                                  return 8;
                                                              } else {
                                                                  return 1;
                                                              }
                                                          }
                                                      } else {
                                                          return 3;
                                                      }
                                                  }
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          if (features[27] < 29) {
                                              if (features[62] < 1) {
                                                  if (features[37] < 18) {
                                                      return 8;
                                                  } else {
                                                      if (features[30] < 9) {
                                                          return 8;
                                                      } else {
                                                          return 0;
                                                      }
                                                  }
                                              } else {
                                                  if (features[20] < 26) {
                                                      return 8;
                                                  } else {
                                                      if (features[43] < 16) {
                                                          return 3;
                                                      } else {
                                                          return 2;
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[10] < 27) {
                                                  if (features[46] < 2) {
                                                      if (features[44] < 13) {
                                                          if (features[51] < 28) {
                                                              return 8;
                                                          } else {
                                                              return 1;
                                                          }
                                                      } else {
                                                          if (features[27] < 31) {
                                                              if (features[12] < 31) {
                                                                  return 3;
                                                              } else {
                                                                  return 1;
                                                              }
                                                          } else {
                                                              return 1;
                                                          }
                                                      }
                                                  } else {
                                                      if (features[46] < 6) {
                                                          return 3;
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              } else {
                                                  if (features[19] < 19) {
                                                      return 8;
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[53] < 13) {
                                      if (features[11] < 12) {
                                          return 9;
                                      } else {
                                          if (features[37] < 17) {
                                              if (features[34] < 20) {
                                                  return 1;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[50] < 2) {
                                                  if (features[43] < 13) {
                                                      return 7;
                                                  } else {
                                                      if (features[42] < 3) {
                                                          return 4;
                                                      } else {
                                                          return 7;
                                                      }
                                                  }
                                              } else {
                                                  if (features[9] < 6) {
                                                      if (features[10] < 19) {
                                                          return 0;
                                                      } else {
                                                          return 2;
                                                      }
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[42] < 9) {
                                          if (features[35] < 21) {
                                              if (features[13] < 5) {
                                                  if (features[34] < 2) {
                                                      return 9;
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  if (features[2] < 5) {
                                                      if (features[21] < 21) {
                                                          return 8;
                                                      } else {
                                                          return 9;
                                                      }
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          } else {
                                              if (features[43] < 14) {
                                                  return 9;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          if (features[12] < 27) {
                                              if (features[41] < 8) {
                                                  return 8;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              if (features[3] < 29) {
                                                  return 0;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[50] < 17) {
                      if (features[18] < 5) {
                          if (features[10] < 2) {
                              if (features[43] < 11) {
                                  return 1;
                              } else {
                                  if (features[62] < 5) {
                                      return 4;
                                  } else {
                                      return 2;
                                  }
                              }
                          } else {
                              return 7;
                          }
                      } else {
                          if (features[37] < 13) {
                              if (features[19] < 26) {
                                  if (features[10] < 16) {
                                      return 0;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 1;
                              }
                          } else {
                              if (features[10] < 29) {
                                  if (features[61] < 17) {
                                      if (features[2] < 11) {
                                          if (features[13] < 28) {
                                              return 4;
                                          } else {
                                              if (features[11] < 31) {
                                                  return 0;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      if (features[61] < 27) {
                                          if (features[13] < 13) {
                                              if (features[18] < 22) {
                                                  return 4;
                                              } else {
                                                  return 6;
                                              }
                                          } else {
                                              if (features[38] < 6) {
                                                  return 9;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[60] < 18) {
                                      if (features[38] < 17) {
                                          return 5;
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      return 0;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[53] < 7) {
                          if (features[60] < 1) {
                              return 7;
                          } else {
                              if (features[43] < 10) {
                                  return 0;
                              } else {
                                  if (features[41] < 17) {
                                      if (features[5] < 19) {
                                          return 1;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 4;
                                  }
                              }
                          }
                      } else {
                          if (features[28] < 14) {
                              if (features[13] < 4) {
                                  return 4;
                              } else {
                                  return 0;
                              }
                          } else {
                              if (features[59] < 26) {
                                  if (features[51] < 20) {
                                      return 8;
                                  } else {
                                      if (features[48] < 1) {
                                          if (features[29] < 16) {
                                              return 1;
                                          } else {
                                              return 6;
                                          }
                                      } else {
                                          return 4;
                                      }
                                  }
                              } else {
                                  if (features[17] < 2) {
                                      return 3;
                                  } else {
                                      return 5;
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_3(const int16_t *features, int32_t features_length) {
          if (features[34] < 11) {
              if (features[38] < 1) {
                  if (features[26] < 7) {
                      if (features[5] < 7) {
                          if (features[43] < 8) {
                              if (features[46] < 4) {
                                  if (features[61] < 15) {
                                      return 9;
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  return 3;
                              }
                          } else {
                              if (features[55] < 23) {
                                  if (features[53] < 7) {
                                      if (features[50] < 18) {
                                          return 1;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[22] < 2) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  return 1;
                              }
                          }
                      } else {
                          if (features[53] < 25) {
                              if (features[19] < 11) {
                                  if (features[50] < 20) {
                                      if (features[61] < 11) {
                                          return 3;
                                      } else {
                                          if (features[52] < 13) {
                                              return 3;
                                          } else {
                                              return 2;
                                          }
                                      }
                                  } else {
                                      if (features[26] < 3) {
                                          if (features[45] < 15) {
                                              return 2;
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[51] < 27) {
                                      if (features[27] < 12) {
                                          if (features[52] < 18) {
                                              return 3;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[52] < 31) {
                                              return 8;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  } else {
                                      if (features[19] < 25) {
                                          return 2;
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          } else {
                              if (features[17] < 1) {
                                  if (features[43] < 10) {
                                      if (features[50] < 26) {
                                          return 3;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[54] < 16) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              } else {
                                  if (features[36] < 31) {
                                      if (features[11] < 29) {
                                          return 2;
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      return 3;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[62] < 3) {
                          if (features[22] < 3) {
                              if (features[58] < 5) {
                                  if (features[9] < 2) {
                                      if (features[44] < 10) {
                                          return 9;
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      if (features[37] < 7) {
                                          if (features[52] < 28) {
                                              return 1;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[13] < 17) {
                                      if (features[6] < 1) {
                                          if (features[50] < 13) {
                                              if (features[5] < 11) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              if (features[42] < 20) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[11] < 25) {
                                          if (features[19] < 5) {
                                              return 8;
                                          } else {
                                              if (features[10] < 22) {
                                                  return 3;
                                              } else {
                                                  if (features[20] < 27) {
                                                      if (features[10] < 31) {
                                                          return 8;
                                                      } else {
                                                          return 5;
                                                      }
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[58] < 14) {
                                              if (features[19] < 26) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[27] < 12) {
                                  return 7;
                              } else {
                                  if (features[61] < 1) {
                                      if (features[37] < 2) {
                                          if (features[34] < 3) {
                                              return 4;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[58] < 21) {
                                          return 8;
                                      } else {
                                          if (features[5] < 2) {
                                              return 8;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[19] < 25) {
                              if (features[3] < 23) {
                                  if (features[21] < 22) {
                                      if (features[18] < 17) {
                                          return 2;
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[46] < 1) {
                                          return 1;
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[42] < 27) {
                                      if (features[46] < 2) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              return 1;
                          }
                      }
                  }
              } else {
                  if (features[29] < 25) {
                      if (features[18] < 21) {
                          if (features[19] < 27) {
                              if (features[53] < 2) {
                                  if (features[26] < 7) {
                                      return 7;
                                  } else {
                                      if (features[52] < 4) {
                                          return 9;
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[54] < 1) {
                                      return 9;
                                  } else {
                                      return 3;
                                  }
                              }
                          } else {
                              if (features[12] < 26) {
                                  return 9;
                              } else {
                                  if (features[44] < 18) {
                                      return 3;
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      } else {
                          if (features[43] < 10) {
                              if (features[38] < 15) {
                                  if (features[4] < 29) {
                                      if (features[18] < 29) {
                                          if (features[26] < 13) {
                                              return 3;
                                          } else {
                                              if (features[37] < 22) {
                                                  if (features[17] < 11) {
                                                      return 9;
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          if (features[2] < 23) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  } else {
                                      if (features[12] < 9) {
                                          return 5;
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[33] < 6) {
                                      return 9;
                                  } else {
                                      return 0;
                                  }
                              }
                          } else {
                              if (features[6] < 15) {
                                  if (features[25] < 11) {
                                      return 8;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  return 7;
                              }
                          }
                      }
                  } else {
                      if (features[6] < 1) {
                          if (features[13] < 5) {
                              return 5;
                          } else {
                              if (features[43] < 11) {
                                  if (features[49] < 7) {
                                      if (features[26] < 3) {
                                          if (features[19] < 17) {
                                              if (features[17] < 13) {
                                                  return 7;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[59] < 29) {
                                          return 9;
                                      } else {
                                          if (features[36] < 6) {
                                              return 5;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[54] < 4) {
                                      return 7;
                                  } else {
                                      if (features[58] < 1) {
                                          if (features[20] < 13) {
                                              return 8;
                                          } else {
                                              return 6;
                                          }
                                      } else {
                                          return 2;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[44] < 25) {
                              if (features[25] < 4) {
                                  if (features[20] < 5) {
                                      if (features[5] < 27) {
                                          return 8;
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      if (features[14] < 7) {
                                          return 3;
                                      } else {
                                          return 9;
                                      }
                                  }
                              } else {
                                  if (features[19] < 22) {
                                      if (features[2] < 13) {
                                          return 9;
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              if (features[27] < 31) {
                                  return 7;
                              } else {
                                  return 1;
                              }
                          }
                      }
                  }
              }
          } else {
              if (features[38] < 1) {
                  if (features[58] < 17) {
                      if (features[28] < 9) {
                          if (features[54] < 5) {
                              if (features[61] < 19) {
                                  if (features[36] < 21) {
                                      if (features[27] < 17) {
                                          if (features[14] < 19) {
                                              return 0;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          if (features[5] < 16) {
                                              if (features[51] < 19) {
                                                  return 8;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      }
                                  } else {
                                      if (features[13] < 7) {
                                          return 4;
                                      } else {
                                          return 5;
                                      }
                                  }
                              } else {
                                  return 6;
                              }
                          } else {
                              return 6;
                          }
                      } else {
                          if (features[50] < 19) {
                              if (features[12] < 31) {
                                  if (features[13] < 7) {
                                      if (features[22] < 5) {
                                          if (features[37] < 1) {
                                              return 1;
                                          } else {
                                              if (features[4] < 27) {
                                                  if (features[37] < 9) {
                                                      return 1;
                                                  } else {
                                                      return 4;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      if (features[43] < 1) {
                                          if (features[61] < 13) {
                                              if (features[60] < 14) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              if (features[20] < 23) {
                                                  return 9;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      } else {
                                          if (features[30] < 8) {
                                              if (features[51] < 25) {
                                                  if (features[6] < 3) {
                                                      return 4;
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  if (features[2] < 5) {
                                                      return 8;
                                                  } else {
                                                      if (features[51] < 28) {
                                                          return 8;
                                                      } else {
                                                          return 5;
                                                      }
                                                  }
                                              }
                                          } else {
                                              return 7;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[20] < 29) {
                                      if (features[35] < 12) {
                                          return 5;
                                      } else {
                                          if (features[29] < 5) {
                                              return 8;
                                          } else {
                                              if (features[59] < 27) {
                                                  return 9;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[34] < 15) {
                                          if (features[10] < 11) {
                                              return 1;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          } else {
                              if (features[9] < 3) {
                                  if (features[19] < 31) {
                                      if (features[21] < 20) {
                                          if (features[19] < 19) {
                                              if (features[50] < 25) {
                                                  return 1;
                                              } else {
                                                  if (features[54] < 11) {
                                                      return 6;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[14] < 14) {
                                              if (features[61] < 28) {
                                                  return 8;
                                              } else {
                                                  if (features[34] < 19) {
                                                      return 2;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          } else {
                                              if (features[35] < 22) {
                                                  return 9;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[30] < 1) {
                                          if (features[21] < 29) {
                                              return 1;
                                          } else {
                                              if (features[43] < 24) {
                                                  return 8;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[25] < 7) {
                                      return 8;
                                  } else {
                                      if (features[19] < 30) {
                                          if (features[12] < 22) {
                                              return 8;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[17] < 7) {
                          if (features[61] < 18) {
                              if (features[42] < 8) {
                                  if (features[37] < 9) {
                                      if (features[53] < 11) {
                                          if (features[4] < 25) {
                                              return 5;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  if (features[44] < 8) {
                                      return 7;
                                  } else {
                                      if (features[51] < 19) {
                                          return 8;
                                      } else {
                                          if (features[61] < 4) {
                                              if (features[6] < 1) {
                                                  if (features[13] < 27) {
                                                      return 7;
                                                  } else {
                                                      return 0;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[13] < 13) {
                                  return 2;
                              } else {
                                  return 9;
                              }
                          }
                      } else {
                          if (features[4] < 13) {
                              return 2;
                          } else {
                              if (features[61] < 21) {
                                  if (features[13] < 25) {
                                      if (features[10] < 21) {
                                          return 8;
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[6] < 17) {
                                          return 8;
                                      } else {
                                          return 7;
                                      }
                                  }
                              } else {
                                  return 2;
                              }
                          }
                      }
                  }
              } else {
                  if (features[58] < 1) {
                      if (features[41] < 7) {
                          if (features[46] < 13) {
                              if (features[33] < 3) {
                                  if (features[27] < 25) {
                                      return 7;
                                  } else {
                                      if (features[42] < 17) {
                                          return 9;
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  if (features[29] < 27) {
                                      if (features[44] < 3) {
                                          return 5;
                                      } else {
                                          if (features[21] < 19) {
                                              return 4;
                                          } else {
                                              if (features[19] < 15) {
                                                  return 7;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[34] < 18) {
                                          return 1;
                                      } else {
                                          if (features[36] < 17) {
                                              if (features[2] < 1) {
                                                  return 1;
                                              } else {
                                                  return 6;
                                              }
                                          } else {
                                              return 4;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[30] < 7) {
                                  return 6;
                              } else {
                                  return 0;
                              }
                          }
                      } else {
                          if (features[19] < 3) {
                              return 7;
                          } else {
                              return 4;
                          }
                      }
                  } else {
                      if (features[60] < 5) {
                          if (features[17] < 3) {
                              return 7;
                          } else {
                              if (features[33] < 12) {
                                  return 7;
                              } else {
                                  return 4;
                              }
                          }
                      } else {
                          if (features[54] < 17) {
                              if (features[28] < 5) {
                                  if (features[3] < 10) {
                                      return 4;
                                  } else {
                                      if (features[13] < 3) {
                                          if (features[19] < 11) {
                                              return 6;
                                          } else {
                                              if (features[22] < 4) {
                                                  return 3;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      } else {
                                          if (features[6] < 11) {
                                              return 0;
                                          } else {
                                              return 5;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[44] < 20) {
                                      if (features[50] < 15) {
                                          if (features[5] < 1) {
                                              if (features[4] < 12) {
                                                  return 9;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[2] < 17) {
                                              if (features[11] < 23) {
                                                  return 9;
                                              } else {
                                                  if (features[5] < 3) {
                                                      return 6;
                                                  } else {
                                                      if (features[9] < 2) {
                                                          return 6;
                                                      } else {
                                                          if (features[2] < 10) {
                                                              return 0;
                                                          } else {
                                                              return 8;
                                                          }
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[35] < 24) {
                                                  return 5;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[12] < 15) {
                                          return 4;
                                      } else {
                                          return 7;
                                      }
                                  }
                              }
                          } else {
                              if (features[42] < 12) {
                                  if (features[4] < 30) {
                                      if (features[34] < 17) {
                                          if (features[10] < 29) {
                                              return 5;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[13] < 11) {
                                          return 5;
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[36] < 3) {
                                      return 0;
                                  } else {
                                      if (features[5] < 18) {
                                          return 6;
                                      } else {
                                          return 3;
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_4(const int16_t *features, int32_t features_length) {
          if (features[33] < 7) {
              if (features[60] < 9) {
                  if (features[18] < 21) {
                      if (features[25] < 3) {
                          if (features[59] < 3) {
                              if (features[1] < 4) {
                                  return 1;
                              } else {
                                  return 7;
                              }
                          } else {
                              if (features[36] < 25) {
                                  if (features[29] < 11) {
                                      return 3;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  return 7;
                              }
                          }
                      } else {
                          if (features[13] < 18) {
                              return 9;
                          } else {
                              if (features[34] < 17) {
                                  return 8;
                              } else {
                                  return 7;
                              }
                          }
                      }
                  } else {
                      if (features[6] < 23) {
                          if (features[50] < 6) {
                              if (features[5] < 3) {
                                  return 4;
                              } else {
                                  if (features[13] < 18) {
                                      if (features[3] < 24) {
                                          return 9;
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[26] < 21) {
                                          if (features[36] < 15) {
                                              return 9;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          if (features[14] < 24) {
                                              return 9;
                                          } else {
                                              return 7;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[2] < 21) {
                                  if (features[17] < 7) {
                                      if (features[14] < 8) {
                                          if (features[22] < 3) {
                                              if (features[19] < 12) {
                                                  return 2;
                                              } else {
                                                  if (features[9] < 4) {
                                                      return 1;
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[21] < 12) {
                                          return 5;
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  return 5;
                              }
                          }
                      } else {
                          if (features[3] < 31) {
                              return 7;
                          } else {
                              if (features[11] < 23) {
                                  return 7;
                              } else {
                                  return 5;
                              }
                          }
                      }
                  }
              } else {
                  if (features[43] < 3) {
                      if (features[5] < 23) {
                          if (features[19] < 17) {
                              if (features[53] < 27) {
                                  if (features[18] < 9) {
                                      if (features[28] < 6) {
                                          return 0;
                                      } else {
                                          if (features[21] < 3) {
                                              if (features[57] < 2) {
                                                  return 2;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      }
                                  } else {
                                      if (features[21] < 19) {
                                          if (features[13] < 26) {
                                              if (features[62] < 11) {
                                                  return 5;
                                              } else {
                                                  if (features[10] < 17) {
                                                      return 0;
                                                  } else {
                                                      if (features[19] < 10) {
                                                          return 3;
                                                      } else {
                                                          return 9;
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[52] < 19) {
                                                  return 3;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      } else {
                                          if (features[63] < 7) {
                                              if (features[3] < 20) {
                                                  if (features[37] < 20) {
                                                      return 8;
                                                  } else {
                                                      if (features[54] < 15) {
                                                          return 9;
                                                      } else {
                                                          return 3;
                                                      }
                                                  }
                                              } else {
                                                  if (features[41] < 4) {
                                                      if (features[5] < 21) {
                                                          return 9;
                                                      } else {
                                                          return 3;
                                                      }
                                                  } else {
                                                      return 0;
                                                  }
                                              }
                                          } else {
                                              return 2;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[30] < 1) {
                                      if (features[29] < 25) {
                                          if (features[4] < 5) {
                                              return 8;
                                          } else {
                                              if (features[25] < 6) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[12] < 31) {
                                          if (features[13] < 3) {
                                              return 5;
                                          } else {
                                              if (features[28] < 9) {
                                                  return 0;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[42] < 9) {
                                              if (features[21] < 19) {
                                                  return 3;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[36] < 25) {
                                  if (features[27] < 4) {
                                      if (features[33] < 3) {
                                          return 2;
                                      } else {
                                          return 0;
                                      }
                                  } else {
                                      if (features[27] < 31) {
                                          if (features[21] < 14) {
                                              if (features[12] < 19) {
                                                  return 5;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[5] < 3) {
                                              if (features[35] < 7) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              if (features[2] < 9) {
                                                  return 8;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[43] < 1) {
                                      if (features[61] < 20) {
                                          if (features[26] < 22) {
                                              if (features[3] < 28) {
                                                  return 8;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              if (features[3] < 28) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          if (features[27] < 19) {
                                              return 9;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      if (features[29] < 1) {
                                          return 5;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[2] < 9) {
                              if (features[18] < 10) {
                                  return 8;
                              } else {
                                  if (features[62] < 3) {
                                      if (features[4] < 27) {
                                          if (features[28] < 8) {
                                              return 7;
                                          } else {
                                              if (features[25] < 12) {
                                                  return 9;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          if (features[3] < 7) {
                                              return 1;
                                          } else {
                                              if (features[17] < 7) {
                                                  if (features[59] < 14) {
                                                      return 8;
                                                  } else {
                                                      if (features[61] < 4) {
                                                          return 3;
                                                      } else {
                                                          return 5;
                                                      }
                                                  }
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              if (features[13] < 22) {
                                  return 5;
                              } else {
                                  if (features[26] < 5) {
                                      return 3;
                                  } else {
                                      if (features[34] < 7) {
                                          if (features[19] < 14) {
                                              return 9;
                                          } else {
                                              if (features[28] < 26) {
                                                  return 5;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      } else {
                                          if (features[51] < 9) {
                                              return 8;
                                          } else {
                                              return 5;
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[21] < 17) {
                          if (features[54] < 1) {
                              if (features[51] < 29) {
                                  if (features[10] < 15) {
                                      if (features[19] < 21) {
                                          if (features[35] < 31) {
                                              return 4;
                                          } else {
                                              if (features[13] < 13) {
                                                  return 5;
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      } else {
                                          if (features[18] < 11) {
                                              if (features[20] < 18) {
                                                  return 6;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      if (features[50] < 22) {
                                          if (features[20] < 16) {
                                              return 5;
                                          } else {
                                              if (features[61] < 15) {
                                                  return 3;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          if (features[34] < 1) {
                                              return 5;
                                          } else {
                                              if (features[57] < 1) {
                                                  return 8;
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[35] < 14) {
                                      if (features[29] < 16) {
                                          return 4;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[19] < 21) {
                                          if (features[26] < 16) {
                                              return 2;
                                          } else {
                                              return 6;
                                          }
                                      } else {
                                          if (features[53] < 26) {
                                              return 1;
                                          } else {
                                              if (features[26] < 16) {
                                                  return 1;
                                              } else {
                                                  return 6;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[21] < 1) {
                                  if (features[9] < 5) {
                                      if (features[34] < 11) {
                                          if (features[51] < 30) {
                                              return 1;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[42] < 15) {
                                              return 1;
                                          } else {
                                              if (features[54] < 5) {
                                                  if (features[58] < 4) {
                                                      return 6;
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 6;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[61] < 17) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              } else {
                                  if (features[62] < 1) {
                                      if (features[27] < 15) {
                                          return 2;
                                      } else {
                                          if (features[25] < 3) {
                                              if (features[26] < 11) {
                                                  if (features[19] < 14) {
                                                      return 3;
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  if (features[41] < 12) {
                                                      return 8;
                                                  } else {
                                                      return 4;
                                                  }
                                              }
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[58] < 1) {
                                          return 1;
                                      } else {
                                          if (features[53] < 26) {
                                              return 2;
                                          } else {
                                              if (features[10] < 25) {
                                                  if (features[44] < 31) {
                                                      return 3;
                                                  } else {
                                                      return 1;
                                                  }
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[18] < 21) {
                              if (features[53] < 1) {
                                  if (features[6] < 9) {
                                      if (features[29] < 3) {
                                          return 8;
                                      } else {
                                          if (features[37] < 22) {
                                              return 1;
                                          } else {
                                              return 7;
                                          }
                                      }
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  if (features[20] < 31) {
                                      if (features[34] < 1) {
                                          if (features[17] < 23) {
                                              if (features[61] < 3) {
                                                  if (features[52] < 30) {
                                                      return 8;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          if (features[41] < 12) {
                                              if (features[19] < 8) {
                                                  if (features[50] < 19) {
                                                      if (features[37] < 20) {
                                                          return 3;
                                                      } else {
                                                          return 7;
                                                      }
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  if (features[42] < 10) {
                                                      return 3;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          } else {
                                              return 2;
                                          }
                                      }
                                  } else {
                                      if (features[59] < 31) {
                                          if (features[44] < 17) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[2] < 15) {
                                              return 2;
                                          } else {
                                              if (features[10] < 16) {
                                                  return 1;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[27] < 11) {
                                  if (features[37] < 27) {
                                      if (features[44] < 1) {
                                          return 0;
                                      } else {
                                          if (features[35] < 23) {
                                              if (features[30] < 5) {
                                                  if (features[18] < 31) {
                                                      return 2;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  return 0;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[25] < 10) {
                                          return 9;
                                      } else {
                                          return 7;
                                      }
                                  }
                              } else {
                                  if (features[9] < 1) {
                                      if (features[21] < 19) {
                                          if (features[34] < 11) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[52] < 27) {
                                              if (features[54] < 17) {
                                                  return 8;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              if (features[10] < 6) {
                                                  return 1;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[2] < 1) {
                                          return 9;
                                      } else {
                                          if (features[50] < 3) {
                                              if (features[29] < 22) {
                                                  return 9;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          } else {
              if (features[3] < 17) {
                  if (features[13] < 17) {
                      if (features[4] < 10) {
                          if (features[50] < 29) {
                              return 0;
                          } else {
                              return 6;
                          }
                      } else {
                          if (features[52] < 19) {
                              if (features[44] < 6) {
                                  return 6;
                              } else {
                                  if (features[59] < 8) {
                                      return 4;
                                  } else {
                                      return 6;
                                  }
                              }
                          } else {
                              return 4;
                          }
                      }
                  } else {
                      if (features[38] < 3) {
                          if (features[6] < 15) {
                              return 1;
                          } else {
                              if (features[12] < 23) {
                                  return 9;
                              } else {
                                  return 5;
                              }
                          }
                      } else {
                          if (features[36] < 16) {
                              return 0;
                          } else {
                              if (features[60] < 25) {
                                  if (features[20] < 5) {
                                      return 7;
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  return 1;
                              }
                          }
                      }
                  }
              } else {
                  if (features[13] < 11) {
                      if (features[59] < 31) {
                          if (features[60] < 27) {
                              if (features[5] < 16) {
                                  if (features[2] < 13) {
                                      if (features[54] < 1) {
                                          if (features[5] < 10) {
                                              if (features[12] < 23) {
                                                  return 4;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[21] < 11) {
                                              return 6;
                                          } else {
                                              return 0;
                                          }
                                      }
                                  } else {
                                      if (features[53] < 16) {
                                          return 7;
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              if (features[28] < 11) {
                                  if (features[61] < 8) {
                                      return 4;
                                  } else {
                                      if (features[21] < 14) {
                                          return 6;
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  if (features[61] < 5) {
                                      return 4;
                                  } else {
                                      if (features[37] < 12) {
                                          return 1;
                                      } else {
                                          return 6;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[58] < 12) {
                              if (features[25] < 24) {
                                  return 4;
                              } else {
                                  return 5;
                              }
                          } else {
                              return 5;
                          }
                      }
                  } else {
                      if (features[43] < 15) {
                          if (features[42] < 11) {
                              if (features[26] < 23) {
                                  if (features[28] < 10) {
                                      return 0;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              if (features[36] < 13) {
                                  return 0;
                              } else {
                                  if (features[41] < 5) {
                                      return 6;
                                  } else {
                                      if (features[42] < 18) {
                                          return 7;
                                      } else {
                                          if (features[53] < 23) {
                                              return 8;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[28] < 16) {
                              if (features[30] < 1) {
                                  if (features[46] < 4) {
                                      if (features[50] < 18) {
                                          return 5;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 0;
                              }
                          } else {
                              if (features[37] < 6) {
                                  return 1;
                              } else {
                                  if (features[5] < 9) {
                                      if (features[2] < 3) {
                                          return 4;
                                      } else {
                                          if (features[59] < 19) {
                                              return 7;
                                          } else {
                                              if (features[58] < 7) {
                                                  return 6;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[50] < 21) {
                                          return 7;
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_5(const int16_t *features, int32_t features_length) {
          if (features[21] < 1) {
              if (features[34] < 25) {
                  if (features[54] < 9) {
                      if (features[42] < 5) {
                          if (features[22] < 14) {
                              if (features[2] < 5) {
                                  if (features[36] < 28) {
                                      if (features[61] < 17) {
                                          return 5;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[13] < 1) {
                                          return 4;
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[55] < 1) {
                                      if (features[42] < 1) {
                                          if (features[18] < 17) {
                                              return 3;
                                          } else {
                                              if (features[59] < 27) {
                                                  if (features[52] < 19) {
                                                      if (features[37] < 17) {
                                                          return 5;
                                                      } else {
                                                          return 3;
                                                      }
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          if (features[5] < 12) {
                                              if (features[27] < 15) {
                                                  return 2;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 5;
                                          }
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              return 7;
                          }
                      } else {
                          if (features[27] < 26) {
                              if (features[60] < 13) {
                                  return 7;
                              } else {
                                  if (features[27] < 14) {
                                      if (features[33] < 21) {
                                          if (features[17] < 14) {
                                              return 0;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      return 2;
                                  }
                              }
                          } else {
                              if (features[60] < 25) {
                                  return 5;
                              } else {
                                  return 1;
                              }
                          }
                      }
                  } else {
                      if (features[46] < 11) {
                          if (features[55] < 5) {
                              if (features[10] < 25) {
                                  return 6;
                              } else {
                                  if (features[63] < 13) {
                                      if (features[45] < 23) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              if (features[25] < 9) {
                                  return 1;
                              } else {
                                  return 2;
                              }
                          }
                      } else {
                          if (features[43] < 4) {
                              if (features[19] < 5) {
                                  return 5;
                              } else {
                                  if (features[26] < 26) {
                                      if (features[6] < 2) {
                                          return 3;
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[11] < 22) {
                                          return 5;
                                      } else {
                                          return 9;
                                      }
                                  }
                              }
                          } else {
                              if (features[59] < 29) {
                                  return 6;
                              } else {
                                  if (features[1] < 3) {
                                      return 8;
                                  } else {
                                      return 2;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[58] < 15) {
                      if (features[18] < 11) {
                          if (features[11] < 27) {
                              return 4;
                          } else {
                              if (features[42] < 18) {
                                  return 1;
                              } else {
                                  return 6;
                              }
                          }
                      } else {
                          if (features[60] < 21) {
                              if (features[4] < 29) {
                                  return 4;
                              } else {
                                  return 5;
                              }
                          } else {
                              if (features[33] < 19) {
                                  if (features[53] < 3) {
                                      if (features[58] < 8) {
                                          return 4;
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      if (features[41] < 14) {
                                          if (features[61] < 6) {
                                              if (features[61] < 1) {
                                                  return 4;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              if (features[63] < 5) {
                                                  if (features[53] < 9) {
                                                      if (features[28] < 18) {
                                                          return 6;
                                                      } else {
                                                          return 1;
                                                      }
                                                  } else {
                                                      if (features[51] < 12) {
                                                          if (features[35] < 28) {
                                                              return 6;
                                                          } else {
                                                              return 5;
                                                          }
                                                      } else {
                                                          return 6;
                                                      }
                                                  }
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      } else {
                                          if (features[25] < 5) {
                                              return 4;
                                          } else {
                                              return 6;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[43] < 12) {
                                      if (features[12] < 19) {
                                          return 5;
                                      } else {
                                          return 6;
                                      }
                                  } else {
                                      return 4;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[5] < 5) {
                          if (features[53] < 5) {
                              return 7;
                          } else {
                              return 1;
                          }
                      } else {
                          return 5;
                      }
                  }
              }
          } else {
              if (features[28] < 1) {
                  if (features[19] < 27) {
                      if (features[33] < 1) {
                          if (features[54] < 6) {
                              if (features[23] < 2) {
                                  return 0;
                              } else {
                                  return 7;
                              }
                          } else {
                              return 2;
                          }
                      } else {
                          if (features[59] < 14) {
                              return 4;
                          } else {
                              if (features[42] < 12) {
                                  if (features[21] < 16) {
                                      return 0;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  return 0;
                              }
                          }
                      }
                  } else {
                      if (features[3] < 13) {
                          if (features[30] < 12) {
                              return 1;
                          } else {
                              return 4;
                          }
                      } else {
                          if (features[36] < 14) {
                              return 0;
                          } else {
                              return 4;
                          }
                      }
                  }
              } else {
                  if (features[43] < 3) {
                      if (features[52] < 23) {
                          if (features[3] < 27) {
                              if (features[41] < 3) {
                                  if (features[58] < 1) {
                                      if (features[10] < 16) {
                                          if (features[20] < 23) {
                                              if (features[26] < 30) {
                                                  return 4;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[51] < 9) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  } else {
                                      if (features[29] < 11) {
                                          if (features[52] < 1) {
                                              if (features[28] < 31) {
                                                  return 8;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 3;
                                          }
                                      } else {
                                          if (features[18] < 1) {
                                              if (features[50] < 16) {
                                                  return 9;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              if (features[12] < 13) {
                                                  if (features[52] < 11) {
                                                      if (features[17] < 9) {
                                                          if (features[20] < 7) {
                                                              if (features[22] < 8) {
                                                                  if (features[61] < 11) {
                                                                      return 9;
                                                                  } else {
                                                                      return 8;
                                                                  }
                                                              } else {
                                                                  return 9;
                                                              }
                                                          } else {
                                                              return 5;
                                                          }
                                                      } else {
                                                          return 9;
                                                      }
                                                  } else {
                                                      if (features[22] < 4) {
                                                          return 5;
                                                      } else {
                                                          return 9;
                                                      }
                                                  }
                                              } else {
                                                  if (features[46] < 1) {
                                                      return 0;
                                                  } else {
                                                      if (features[12] < 23) {
                                                          if (features[10] < 31) {
                                                              if (features[52] < 10) {
                                                                  return 9;
                                                              } else {
                                                                  if (features[3] < 24) {
                                                                      return 0;
                                                                  } else {
                                                                      return 9;
                                                                  }
                                                              }
                                                          } else {
                                                              if (features[17] < 5) {
                                                                  return 9;
                                                              } else {
                                                                  return 3;
                                                              }
                                                          }
                                                      } else {
                                                          return 9;
                                                      }
                                                  }
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[42] < 19) {
                                      if (features[52] < 12) {
                                          return 9;
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              if (features[30] < 1) {
                                  if (features[54] < 30) {
                                      if (features[60] < 25) {
                                          if (features[61] < 14) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[42] < 27) {
                                              return 3;
                                          } else {
                                              if (features[57] < 1) {
                                                  return 8;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[18] < 24) {
                                          return 9;
                                      } else {
                                          return 5;
                                      }
                                  }
                              } else {
                                  if (features[61] < 1) {
                                      return 0;
                                  } else {
                                      if (features[36] < 3) {
                                          if (features[27] < 4) {
                                              if (features[9] < 14) {
                                                  return 0;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              if (features[51] < 5) {
                                                  return 9;
                                              } else {
                                                  if (features[11] < 8) {
                                                      return 5;
                                                  } else {
                                                      if (features[62] < 1) {
                                                          if (features[10] < 31) {
                                                              return 6;
                                                          } else {
                                                              return 9;
                                                          }
                                                      } else {
                                                          return 9;
                                                      }
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[4] < 31) {
                                              return 9;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[35] < 23) {
                              if (features[26] < 7) {
                                  if (features[62] < 14) {
                                      if (features[17] < 9) {
                                          return 3;
                                      } else {
                                          if (features[19] < 30) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  } else {
                                      if (features[54] < 20) {
                                          return 2;
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[59] < 7) {
                                      if (features[61] < 5) {
                                          return 9;
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      if (features[21] < 21) {
                                          if (features[35] < 19) {
                                              return 5;
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[42] < 22) {
                                              if (features[44] < 20) {
                                                  if (features[37] < 22) {
                                                      return 5;
                                                  } else {
                                                      return 9;
                                                  }
                                              } else {
                                                  if (features[9] < 6) {
                                                      return 9;
                                                  } else {
                                                      return 2;
                                                  }
                                              }
                                          } else {
                                              if (features[49] < 8) {
                                                  return 0;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[28] < 26) {
                                  if (features[27] < 26) {
                                      if (features[14] < 1) {
                                          return 7;
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  if (features[4] < 30) {
                                      return 8;
                                  } else {
                                      return 3;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[50] < 17) {
                          if (features[52] < 21) {
                              if (features[53] < 7) {
                                  if (features[26] < 25) {
                                      if (features[60] < 19) {
                                          if (features[38] < 1) {
                                              if (features[52] < 12) {
                                                  if (features[52] < 3) {
                                                      return 7;
                                                  } else {
                                                      if (features[21] < 29) {
                                                          return 7;
                                                      } else {
                                                          return 4;
                                                      }
                                                  }
                                              } else {
                                                  if (features[35] < 31) {
                                                      return 3;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          } else {
                                              if (features[13] < 15) {
                                                  if (features[49] < 1) {
                                                      return 7;
                                                  } else {
                                                      return 4;
                                                  }
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      } else {
                                          return 1;
                                      }
                                  } else {
                                      if (features[4] < 18) {
                                          return 4;
                                      } else {
                                          if (features[6] < 24) {
                                              if (features[29] < 14) {
                                                  return 1;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              return 7;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[45] < 3) {
                                      return 2;
                                  } else {
                                      if (features[29] < 29) {
                                          if (features[38] < 9) {
                                              if (features[9] < 11) {
                                                  return 8;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[41] < 1) {
                                              if (features[43] < 20) {
                                                  return 9;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[19] < 28) {
                                                  return 6;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[12] < 31) {
                                  if (features[6] < 1) {
                                      if (features[26] < 19) {
                                          if (features[18] < 9) {
                                              if (features[5] < 4) {
                                                  return 1;
                                              } else {
                                                  if (features[61] < 1) {
                                                      return 7;
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          } else {
                                              if (features[30] < 2) {
                                                  if (features[61] < 13) {
                                                      if (features[58] < 12) {
                                                          return 2;
                                                      } else {
                                                          return 3;
                                                      }
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      } else {
                                          if (features[34] < 18) {
                                              if (features[29] < 20) {
                                                  return 8;
                                              } else {
                                                  return 7;
                                              }
                                          } else {
                                              return 4;
                                          }
                                      }
                                  } else {
                                      if (features[29] < 11) {
                                          if (features[26] < 20) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[11] < 9) {
                                              return 1;
                                          } else {
                                              if (features[61] < 12) {
                                                  return 7;
                                              } else {
                                                  if (features[36] < 31) {
                                                      return 2;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[17] < 13) {
                                      if (features[42] < 29) {
                                          if (features[20] < 31) {
                                              if (features[51] < 16) {
                                                  return 4;
                                              } else {
                                                  if (features[57] < 4) {
                                                      return 2;
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          } else {
                                              if (features[10] < 23) {
                                                  if (features[34] < 29) {
                                                      if (features[44] < 23) {
                                                          return 8;
                                                      } else {
                                                          return 1;
                                                      }
                                                  } else {
                                                      if (features[5] < 9) {
                                                          return 4;
                                                      } else {
                                                          return 1;
                                                      }
                                                  }
                                              } else {
                                                  if (features[53] < 7) {
                                                      return 7;
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[45] < 14) {
                                              return 1;
                                          } else {
                                              return 4;
                                          }
                                      }
                                  } else {
                                      if (features[11] < 30) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[54] < 3) {
                              if (features[51] < 31) {
                                  if (features[33] < 1) {
                                      if (features[57] < 3) {
                                          if (features[60] < 3) {
                                              if (features[37] < 1) {
                                                  return 4;
                                              } else {
                                                  return 7;
                                              }
                                          } else {
                                              if (features[51] < 27) {
                                                  if (features[29] < 3) {
                                                      if (features[61] < 8) {
                                                          return 8;
                                                      } else {
                                                          return 3;
                                                      }
                                                  } else {
                                                      return 8;
                                                  }
                                              } else {
                                                  if (features[62] < 4) {
                                                      return 8;
                                                  } else {
                                                      return 2;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[42] < 19) {
                                              return 3;
                                          } else {
                                              return 7;
                                          }
                                      }
                                  } else {
                                      if (features[59] < 15) {
                                          return 7;
                                      } else {
                                          if (features[38] < 1) {
                                              return 8;
                                          } else {
                                              if (features[10] < 21) {
                                                  return 4;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[34] < 12) {
                                      if (features[34] < 4) {
                                          if (features[30] < 2) {
                                              return 2;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          if (features[10] < 25) {
                                              return 8;
                                          } else {
                                              return 7;
                                          }
                                      }
                                  } else {
                                      if (features[60] < 7) {
                                          if (features[17] < 4) {
                                              return 7;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          if (features[43] < 27) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[12] < 21) {
                                  if (features[1] < 3) {
                                      if (features[58] < 27) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      return 2;
                                  }
                              } else {
                                  if (features[2] < 13) {
                                      if (features[27] < 24) {
                                          if (features[37] < 24) {
                                              if (features[37] < 17) {
                                                  return 2;
                                              } else {
                                                  if (features[43] < 9) {
                                                      return 3;
                                                  } else {
                                                      return 2;
                                                  }
                                              }
                                          } else {
                                              if (features[17] < 3) {
                                                  return 6;
                                              } else {
                                                  if (features[44] < 3) {
                                                      return 3;
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[26] < 27) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      if (features[43] < 7) {
                                          if (features[20] < 16) {
                                              return 8;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[26] < 17) {
                                              return 2;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_6(const int16_t *features, int32_t features_length) {
          if (features[30] < 3) {
              if (features[54] < 3) {
                  if (features[58] < 17) {
                      if (features[60] < 9) {
                          if (features[26] < 21) {
                              if (features[59] < 10) {
                                  return 1;
                              } else {
                                  return 7;
                              }
                          } else {
                              if (features[17] < 4) {
                                  if (features[58] < 14) {
                                      return 4;
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  if (features[29] < 6) {
                                      return 8;
                                  } else {
                                      if (features[9] < 5) {
                                          return 7;
                                      } else {
                                          return 9;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[52] < 31) {
                              if (features[19] < 27) {
                                  if (features[37] < 15) {
                                      if (features[20] < 1) {
                                          if (features[59] < 26) {
                                              if (features[13] < 20) {
                                                  return 6;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[57] < 3) {
                                                  if (features[50] < 19) {
                                                      return 5;
                                                  } else {
                                                      return 8;
                                                  }
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      } else {
                                          if (features[6] < 12) {
                                              if (features[10] < 2) {
                                                  return 1;
                                              } else {
                                                  if (features[27] < 1) {
                                                      return 2;
                                                  } else {
                                                      if (features[34] < 1) {
                                                          return 2;
                                                      } else {
                                                          if (features[50] < 6) {
                                                              if (features[22] < 7) {
                                                                  return 8;
                                                              } else {
                                                                  return 3;
                                                              }
                                                          } else {
                                                              if (features[42] < 8) {
                                                                  if (features[41] < 1) {
                                                                      return 8;
                                                                  } else {
                                                                      return 9;
                                                                  }
                                                              } else {
                                                                  return 8;
                                                              }
                                                          }
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[3] < 15) {
                                                  return 9;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[29] < 14) {
                                          if (features[17] < 1) {
                                              if (features[33] < 2) {
                                                  return 3;
                                              } else {
                                                  if (features[44] < 24) {
                                                      return 5;
                                                  } else {
                                                      return 4;
                                                  }
                                              }
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[42] < 3) {
                                              if (features[51] < 9) {
                                                  if (features[12] < 12) {
                                                      return 5;
                                                  } else {
                                                      if (features[61] < 25) {
                                                          return 9;
                                                      } else {
                                                          return 1;
                                                      }
                                                  }
                                              } else {
                                                  if (features[19] < 6) {
                                                      return 3;
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          } else {
                                              if (features[4] < 31) {
                                                  if (features[61] < 2) {
                                                      return 4;
                                                  } else {
                                                      if (features[33] < 4) {
                                                          if (features[20] < 14) {
                                                              return 8;
                                                          } else {
                                                              return 9;
                                                          }
                                                      } else {
                                                          return 0;
                                                      }
                                                  }
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[50] < 1) {
                                      if (features[52] < 23) {
                                          if (features[45] < 30) {
                                              return 4;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[45] < 25) {
                                              return 4;
                                          } else {
                                              if (features[29] < 27) {
                                                  return 1;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[35] < 31) {
                                          if (features[60] < 31) {
                                              if (features[34] < 9) {
                                                  if (features[29] < 3) {
                                                      return 1;
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[20] < 17) {
                                                  return 4;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[59] < 12) {
                                              return 6;
                                          } else {
                                              if (features[58] < 9) {
                                                  return 1;
                                              } else {
                                                  if (features[42] < 23) {
                                                      if (features[44] < 29) {
                                                          return 8;
                                                      } else {
                                                          return 1;
                                                      }
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[41] < 10) {
                                  if (features[38] < 10) {
                                      if (features[12] < 29) {
                                          if (features[2] < 2) {
                                              if (features[21] < 19) {
                                                  return 6;
                                              } else {
                                                  return 0;
                                              }
                                          } else {
                                              if (features[20] < 16) {
                                                  if (features[22] < 3) {
                                                      return 5;
                                                  } else {
                                                      if (features[19] < 2) {
                                                          return 9;
                                                      } else {
                                                          if (features[28] < 11) {
                                                              return 7;
                                                          } else {
                                                              return 8;
                                                          }
                                                      }
                                                  }
                                              } else {
                                                  if (features[19] < 31) {
                                                      return 8;
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[22] < 14) {
                                              if (features[20] < 27) {
                                                  if (features[21] < 15) {
                                                      return 5;
                                                  } else {
                                                      if (features[26] < 7) {
                                                          return 8;
                                                      } else {
                                                          return 2;
                                                      }
                                                  }
                                              } else {
                                                  if (features[58] < 13) {
                                                      return 1;
                                                  } else {
                                                      if (features[44] < 30) {
                                                          return 3;
                                                      } else {
                                                          return 1;
                                                      }
                                                  }
                                              }
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[51] < 21) {
                                          return 4;
                                      } else {
                                          return 0;
                                      }
                                  }
                              } else {
                                  if (features[58] < 1) {
                                      return 4;
                                  } else {
                                      return 8;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[42] < 9) {
                          if (features[13] < 29) {
                              if (features[52] < 5) {
                                  if (features[13] < 11) {
                                      return 7;
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[20] < 23) {
                                      if (features[2] < 11) {
                                          return 7;
                                      } else {
                                          if (features[27] < 2) {
                                              if (features[54] < 1) {
                                                  return 5;
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              if (features[59] < 25) {
                                                  if (features[12] < 14) {
                                                      if (features[59] < 22) {
                                                          return 5;
                                                      } else {
                                                          return 9;
                                                      }
                                                  } else {
                                                      return 5;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[51] < 13) {
                                          return 3;
                                      } else {
                                          if (features[13] < 18) {
                                              return 5;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[12] < 31) {
                                  return 3;
                              } else {
                                  return 5;
                              }
                          }
                      } else {
                          if (features[6] < 9) {
                              if (features[52] < 4) {
                                  if (features[36] < 7) {
                                      return 5;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  if (features[21] < 4) {
                                      if (features[4] < 21) {
                                          return 1;
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[43] < 30) {
                                          if (features[18] < 7) {
                                              if (features[28] < 31) {
                                                  return 3;
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 2;
                                      }
                                  }
                              }
                          } else {
                              if (features[60] < 1) {
                                  if (features[19] < 18) {
                                      return 7;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 5;
                              }
                          }
                      }
                  }
              } else {
                  if (features[58] < 9) {
                      if (features[42] < 15) {
                          if (features[43] < 7) {
                              if (features[4] < 25) {
                                  if (features[46] < 9) {
                                      if (features[25] < 9) {
                                          if (features[45] < 16) {
                                              if (features[45] < 13) {
                                                  return 1;
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      return 9;
                                  }
                              } else {
                                  if (features[62] < 15) {
                                      if (features[18] < 25) {
                                          if (features[25] < 9) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[61] < 21) {
                                              return 5;
                                          } else {
                                              if (features[11] < 29) {
                                                  return 8;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      }
                                  } else {
                                      return 3;
                                  }
                              }
                          } else {
                              if (features[53] < 16) {
                                  return 2;
                              } else {
                                  if (features[55] < 9) {
                                      if (features[5] < 31) {
                                          if (features[46] < 1) {
                                              if (features[61] < 16) {
                                                  return 2;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              if (features[59] < 13) {
                                                  if (features[17] < 3) {
                                                      return 1;
                                                  } else {
                                                      return 8;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          if (features[9] < 2) {
                                              if (features[37] < 29) {
                                                  return 1;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              return 2;
                                          }
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      } else {
                          if (features[5] < 7) {
                              if (features[17] < 7) {
                                  if (features[20] < 18) {
                                      return 6;
                                  } else {
                                      if (features[62] < 14) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              } else {
                                  if (features[2] < 9) {
                                      return 8;
                                  } else {
                                      return 6;
                                  }
                              }
                          } else {
                              if (features[29] < 2) {
                                  return 6;
                              } else {
                                  if (features[33] < 1) {
                                      if (features[59] < 3) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[20] < 21) {
                                          if (features[13] < 21) {
                                              return 6;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[12] < 27) {
                                              return 3;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[62] < 5) {
                          if (features[20] < 9) {
                              if (features[59] < 31) {
                                  if (features[42] < 31) {
                                      if (features[36] < 26) {
                                          if (features[27] < 11) {
                                              return 6;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      return 6;
                                  }
                              } else {
                                  if (features[29] < 1) {
                                      if (features[60] < 30) {
                                          return 5;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[43] < 7) {
                                          return 5;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          } else {
                              if (features[29] < 27) {
                                  if (features[45] < 13) {
                                      return 2;
                                  } else {
                                      if (features[4] < 17) {
                                          if (features[58] < 26) {
                                              if (features[41] < 3) {
                                                  return 3;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[17] < 19) {
                                              if (features[17] < 15) {
                                                  if (features[50] < 31) {
                                                      return 3;
                                                  } else {
                                                      if (features[60] < 25) {
                                                          return 2;
                                                      } else {
                                                          return 3;
                                                      }
                                                  }
                                              } else {
                                                  if (features[27] < 12) {
                                                      return 2;
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          } else {
                                              if (features[52] < 22) {
                                                  return 3;
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[27] < 1) {
                                      return 3;
                                  } else {
                                      return 9;
                                  }
                              }
                          }
                      } else {
                          if (features[27] < 27) {
                              if (features[6] < 1) {
                                  if (features[37] < 27) {
                                      if (features[52] < 9) {
                                          if (features[46] < 7) {
                                              return 2;
                                          } else {
                                              if (features[12] < 7) {
                                                  return 6;
                                              } else {
                                                  if (features[26] < 1) {
                                                      return 3;
                                                  } else {
                                                      if (features[27] < 4) {
                                                          return 0;
                                                      } else {
                                                          return 9;
                                                      }
                                                  }
                                              }
                                          }
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[20] < 13) {
                                          if (features[4] < 12) {
                                              return 6;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[61] < 30) {
                                      return 3;
                                  } else {
                                      return 5;
                                  }
                              }
                          } else {
                              if (features[29] < 11) {
                                  if (features[62] < 19) {
                                      if (features[2] < 23) {
                                          return 3;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  if (features[53] < 30) {
                                      return 9;
                                  } else {
                                      return 8;
                                  }
                              }
                          }
                      }
                  }
              }
          } else {
              if (features[13] < 7) {
                  if (features[27] < 21) {
                      if (features[50] < 25) {
                          if (features[26] < 12) {
                              return 7;
                          } else {
                              if (features[10] < 30) {
                                  return 4;
                              } else {
                                  return 5;
                              }
                          }
                      } else {
                          if (features[17] < 4) {
                              return 4;
                          } else {
                              return 0;
                          }
                      }
                  } else {
                      if (features[37] < 25) {
                          if (features[58] < 23) {
                              if (features[5] < 31) {
                                  if (features[1] < 3) {
                                      if (features[38] < 21) {
                                          if (features[34] < 30) {
                                              return 4;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 6;
                                      }
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              return 7;
                          }
                      } else {
                          if (features[9] < 7) {
                              if (features[20] < 26) {
                                  if (features[4] < 5) {
                                      return 6;
                                  } else {
                                      if (features[28] < 29) {
                                          return 4;
                                      } else {
                                          if (features[53] < 8) {
                                              return 4;
                                          } else {
                                              if (features[33] < 8) {
                                                  return 9;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  return 7;
                              }
                          } else {
                              return 5;
                          }
                      }
                  }
              } else {
                  if (features[28] < 3) {
                      if (features[14] < 15) {
                          if (features[37] < 31) {
                              return 0;
                          } else {
                              if (features[51] < 25) {
                                  return 2;
                              } else {
                                  return 0;
                              }
                          }
                      } else {
                          if (features[25] < 4) {
                              return 7;
                          } else {
                              return 0;
                          }
                      }
                  } else {
                      if (features[61] < 1) {
                          if (features[13] < 15) {
                              if (features[2] < 8) {
                                  if (features[53] < 1) {
                                      return 4;
                                  } else {
                                      return 9;
                                  }
                              } else {
                                  return 7;
                              }
                          } else {
                              if (features[2] < 1) {
                                  if (features[26] < 16) {
                                      return 7;
                                  } else {
                                      if (features[37] < 20) {
                                          return 8;
                                      } else {
                                          return 4;
                                      }
                                  }
                              } else {
                                  if (features[42] < 27) {
                                      if (features[19] < 7) {
                                          return 7;
                                      } else {
                                          if (features[34] < 19) {
                                              return 7;
                                          } else {
                                              return 4;
                                          }
                                      }
                                  } else {
                                      if (features[13] < 24) {
                                          return 7;
                                      } else {
                                          return 0;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[43] < 13) {
                              if (features[28] < 21) {
                                  if (features[6] < 11) {
                                      if (features[33] < 2) {
                                          return 9;
                                      } else {
                                          if (features[50] < 19) {
                                              return 5;
                                          } else {
                                              return 0;
                                          }
                                      }
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  if (features[33] < 7) {
                                      if (features[19] < 31) {
                                          if (features[5] < 31) {
                                              return 9;
                                          } else {
                                              if (features[14] < 20) {
                                                  return 1;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[35] < 22) {
                                              return 9;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[36] < 10) {
                                          return 5;
                                      } else {
                                          if (features[21] < 26) {
                                              return 9;
                                          } else {
                                              if (features[3] < 8) {
                                                  return 1;
                                              } else {
                                                  return 7;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[41] < 2) {
                                  if (features[10] < 13) {
                                      if (features[30] < 14) {
                                          if (features[51] < 27) {
                                              return 1;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          return 7;
                                      }
                                  } else {
                                      if (features[6] < 4) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              } else {
                                  if (features[10] < 7) {
                                      if (features[13] < 22) {
                                          return 4;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_7(const int16_t *features, int32_t features_length) {
          if (features[19] < 27) {
              if (features[53] < 1) {
                  if (features[17] < 7) {
                      if (features[21] < 5) {
                          if (features[25] < 7) {
                              if (features[18] < 13) {
                                  if (features[10] < 4) {
                                      return 1;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  return 5;
                              }
                          } else {
                              return 4;
                          }
                      } else {
                          if (features[12] < 11) {
                              if (features[5] < 13) {
                                  return 4;
                              } else {
                                  if (features[18] < 22) {
                                      return 7;
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              if (features[61] < 8) {
                                  if (features[2] < 21) {
                                      if (features[19] < 25) {
                                          if (features[37] < 1) {
                                              if (features[52] < 8) {
                                                  return 7;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[34] < 31) {
                                                  if (features[50] < 27) {
                                                      return 7;
                                                  } else {
                                                      return 8;
                                                  }
                                              } else {
                                                  if (features[18] < 18) {
                                                      return 7;
                                                  } else {
                                                      return 4;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[2] < 3) {
                                              return 4;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      if (features[19] < 4) {
                                          return 7;
                                      } else {
                                          if (features[19] < 10) {
                                              return 3;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[43] < 16) {
                                      return 9;
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[28] < 19) {
                          if (features[37] < 10) {
                              return 5;
                          } else {
                              if (features[51] < 18) {
                                  return 7;
                              } else {
                                  return 4;
                              }
                          }
                      } else {
                          if (features[35] < 17) {
                              if (features[46] < 10) {
                                  return 9;
                              } else {
                                  return 3;
                              }
                          } else {
                              if (features[22] < 3) {
                                  if (features[26] < 20) {
                                      return 7;
                                  } else {
                                      if (features[1] < 3) {
                                          return 4;
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[21] < 29) {
                                      return 4;
                                  } else {
                                      return 9;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[5] < 7) {
                      if (features[43] < 7) {
                          if (features[13] < 9) {
                              if (features[28] < 15) {
                                  if (features[53] < 28) {
                                      if (features[50] < 9) {
                                          if (features[50] < 1) {
                                              return 4;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[2] < 13) {
                                              return 6;
                                          } else {
                                              if (features[17] < 7) {
                                                  return 2;
                                              } else {
                                                  return 0;
                                              }
                                          }
                                      }
                                  } else {
                                      return 0;
                                  }
                              } else {
                                  if (features[54] < 23) {
                                      if (features[3] < 25) {
                                          if (features[34] < 20) {
                                              return 5;
                                          } else {
                                              if (features[44] < 16) {
                                                  if (features[4] < 8) {
                                                      return 8;
                                                  } else {
                                                      return 6;
                                                  }
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      } else {
                                          if (features[18] < 28) {
                                              if (features[21] < 12) {
                                                  return 3;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              if (features[34] < 26) {
                                                  return 5;
                                              } else {
                                                  return 6;
                                              }
                                          }
                                      }
                                  } else {
                                      return 9;
                                  }
                              }
                          } else {
                              if (features[28] < 9) {
                                  if (features[50] < 5) {
                                      return 2;
                                  } else {
                                      return 0;
                                  }
                              } else {
                                  if (features[29] < 20) {
                                      if (features[19] < 7) {
                                          return 3;
                                      } else {
                                          if (features[52] < 13) {
                                              return 9;
                                          } else {
                                              if (features[43] < 2) {
                                                  if (features[28] < 25) {
                                                      return 5;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[42] < 23) {
                                          return 9;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[45] < 13) {
                              if (features[46] < 18) {
                                  if (features[51] < 17) {
                                      if (features[52] < 17) {
                                          if (features[21] < 15) {
                                              return 2;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          if (features[3] < 24) {
                                              return 4;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[22] < 1) {
                                          if (features[21] < 26) {
                                              if (features[10] < 17) {
                                                  return 1;
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              if (features[26] < 6) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  return 6;
                              }
                          } else {
                              if (features[20] < 3) {
                                  if (features[44] < 29) {
                                      if (features[4] < 19) {
                                          return 6;
                                      } else {
                                          if (features[46] < 11) {
                                              if (features[21] < 25) {
                                                  if (features[42] < 28) {
                                                      if (features[20] < 1) {
                                                          return 4;
                                                      } else {
                                                          return 8;
                                                      }
                                                  } else {
                                                      return 6;
                                                  }
                                              } else {
                                                  return 0;
                                              }
                                          } else {
                                              return 6;
                                          }
                                      }
                                  } else {
                                      if (features[2] < 6) {
                                          if (features[19] < 25) {
                                              return 4;
                                          } else {
                                              return 0;
                                          }
                                      } else {
                                          return 6;
                                      }
                                  }
                              } else {
                                  if (features[28] < 27) {
                                      if (features[28] < 2) {
                                          if (features[44] < 24) {
                                              return 0;
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[2] < 1) {
                                              return 4;
                                          } else {
                                              if (features[50] < 21) {
                                                  if (features[21] < 23) {
                                                      if (features[45] < 19) {
                                                          return 5;
                                                      } else {
                                                          if (features[2] < 8) {
                                                              return 6;
                                                          } else {
                                                              return 3;
                                                          }
                                                      }
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[37] < 1) {
                                          if (features[18] < 26) {
                                              return 2;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[3] < 3) {
                          if (features[19] < 19) {
                              if (features[26] < 29) {
                                  if (features[26] < 10) {
                                      return 2;
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  return 9;
                              }
                          } else {
                              if (features[6] < 17) {
                                  if (features[43] < 28) {
                                      return 1;
                                  } else {
                                      if (features[41] < 22) {
                                          return 2;
                                      } else {
                                          return 4;
                                      }
                                  }
                              } else {
                                  return 9;
                              }
                          }
                      } else {
                          if (features[13] < 19) {
                              if (features[42] < 9) {
                                  if (features[29] < 31) {
                                      if (features[54] < 3) {
                                          return 5;
                                      } else {
                                          if (features[21] < 8) {
                                              return 5;
                                          } else {
                                              if (features[45] < 27) {
                                                  if (features[36] < 24) {
                                                      return 3;
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[4] < 28) {
                                          return 9;
                                      } else {
                                          if (features[22] < 15) {
                                              return 5;
                                          } else {
                                              return 4;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[21] < 1) {
                                      if (features[5] < 20) {
                                          return 6;
                                      } else {
                                          if (features[60] < 28) {
                                              return 5;
                                          } else {
                                              return 6;
                                          }
                                      }
                                  } else {
                                      if (features[5] < 12) {
                                          if (features[26] < 14) {
                                              return 2;
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          if (features[42] < 17) {
                                              if (features[13] < 17) {
                                                  if (features[21] < 9) {
                                                      return 3;
                                                  } else {
                                                      if (features[18] < 16) {
                                                          return 1;
                                                      } else {
                                                          return 5;
                                                      }
                                                  }
                                              } else {
                                                  return 0;
                                              }
                                          } else {
                                              if (features[14] < 8) {
                                                  return 4;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[30] < 5) {
                                  if (features[18] < 13) {
                                      if (features[20] < 3) {
                                          if (features[61] < 15) {
                                              return 8;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[42] < 11) {
                                              if (features[19] < 23) {
                                                  return 3;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              if (features[27] < 9) {
                                                  return 2;
                                              } else {
                                                  if (features[45] < 10) {
                                                      return 3;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[6] < 13) {
                                          if (features[38] < 3) {
                                              if (features[26] < 13) {
                                                  if (features[45] < 12) {
                                                      return 2;
                                                  } else {
                                                      if (features[27] < 22) {
                                                          if (features[54] < 15) {
                                                              if (features[5] < 19) {
                                                                  return 2;
                                                              } else {
                                                                  return 1;
                                                              }
                                                          } else {
                                                              return 3;
                                                          }
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              } else {
                                                  if (features[45] < 19) {
                                                      if (features[45] < 10) {
                                                          return 8;
                                                      } else {
                                                          if (features[10] < 19) {
                                                              return 6;
                                                          } else {
                                                              if (features[43] < 10) {
                                                                  if (features[25] < 8) {
                                                                      return 8;
                                                                  } else {
                                                                      return 9;
                                                                  }
                                                              } else {
                                                                  return 5;
                                                              }
                                                          }
                                                      }
                                                  } else {
                                                      if (features[22] < 3) {
                                                          if (features[43] < 1) {
                                                              if (features[17] < 16) {
                                                                  return 9;
                                                              } else {
                                                                  if (features[2] < 7) {
                                                                      return 3;
                                                                  } else {
                                                                      return 5;
                                                                  }
                                                              }
                                                          } else {
                                                              if (features[61] < 1) {
                                                                  if (features[53] < 5) {
                                                                      return 5;
                                                                  } else {
                                                                      return 7;
                                                                  }
                                                              } else {
                                                                  return 8;
                                                              }
                                                          }
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[18] < 26) {
                                                  if (features[10] < 31) {
                                                      if (features[52] < 15) {
                                                          return 8;
                                                      } else {
                                                          return 3;
                                                      }
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  if (features[27] < 30) {
                                                      if (features[27] < 21) {
                                                          if (features[34] < 16) {
                                                              return 3;
                                                          } else {
                                                              if (features[14] < 2) {
                                                                  return 6;
                                                              } else {
                                                                  return 0;
                                                              }
                                                          }
                                                      } else {
                                                          return 9;
                                                      }
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[43] < 24) {
                                              return 5;
                                          } else {
                                              return 7;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[50] < 19) {
                                      if (features[36] < 29) {
                                          if (features[26] < 2) {
                                              return 2;
                                          } else {
                                              if (features[2] < 3) {
                                                  return 0;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[53] < 22) {
                                              return 7;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[25] < 5) {
                                          if (features[20] < 3) {
                                              if (features[46] < 3) {
                                                  return 2;
                                              } else {
                                                  if (features[26] < 10) {
                                                      return 3;
                                                  } else {
                                                      if (features[42] < 16) {
                                                          return 9;
                                                      } else {
                                                          return 0;
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[60] < 21) {
                                                  return 8;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[28] < 12) {
                                              return 0;
                                          } else {
                                              if (features[36] < 31) {
                                                  return 9;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          } else {
              if (features[33] < 9) {
                  if (features[53] < 3) {
                      if (features[60] < 5) {
                          if (features[43] < 21) {
                              return 9;
                          } else {
                              if (features[27] < 30) {
                                  return 5;
                              } else {
                                  return 7;
                              }
                          }
                      } else {
                          if (features[28] < 17) {
                              if (features[13] < 12) {
                                  return 1;
                              } else {
                                  if (features[35] < 30) {
                                      return 5;
                                  } else {
                                      return 8;
                                  }
                              }
                          } else {
                              return 1;
                          }
                      }
                  } else {
                      if (features[28] < 7) {
                          if (features[58] < 6) {
                              if (features[61] < 17) {
                                  if (features[49] < 11) {
                                      return 0;
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[13] < 18) {
                                      return 6;
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              if (features[22] < 7) {
                                  return 3;
                              } else {
                                  return 0;
                              }
                          }
                      } else {
                          if (features[12] < 29) {
                              if (features[4] < 9) {
                                  if (features[21] < 9) {
                                      if (features[62] < 19) {
                                          if (features[35] < 31) {
                                              return 1;
                                          } else {
                                              return 2;
                                          }
                                      } else {
                                          if (features[63] < 3) {
                                              if (features[18] < 15) {
                                                  return 2;
                                              } else {
                                                  return 9;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  if (features[35] < 17) {
                                      if (features[37] < 17) {
                                          if (features[4] < 27) {
                                              return 4;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      if (features[3] < 27) {
                                          if (features[34] < 15) {
                                              return 8;
                                          } else {
                                              if (features[37] < 12) {
                                                  return 8;
                                              } else {
                                                  return 6;
                                              }
                                          }
                                      } else {
                                          if (features[10] < 21) {
                                              if (features[52] < 25) {
                                                  return 6;
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              if (features[36] < 12) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[10] < 30) {
                                  if (features[20] < 25) {
                                      if (features[59] < 30) {
                                          if (features[21] < 15) {
                                              return 4;
                                          } else {
                                              if (features[2] < 2) {
                                                  return 1;
                                              } else {
                                                  if (features[42] < 15) {
                                                      return 9;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[18] < 7) {
                                          if (features[46] < 4) {
                                              if (features[51] < 21) {
                                                  if (features[45] < 29) {
                                                      return 8;
                                                  } else {
                                                      return 1;
                                                  }
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[34] < 2) {
                                              if (features[61] < 5) {
                                                  return 9;
                                              } else {
                                                  if (features[2] < 8) {
                                                      return 1;
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          } else {
                                              return 1;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[53] < 29) {
                                      if (features[6] < 11) {
                                          if (features[45] < 22) {
                                              return 1;
                                          } else {
                                              if (features[60] < 29) {
                                                  return 9;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      if (features[54] < 11) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[37] < 25) {
                      if (features[38] < 7) {
                          if (features[28] < 9) {
                              return 6;
                          } else {
                              if (features[3] < 16) {
                                  if (features[36] < 31) {
                                      return 4;
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  if (features[12] < 19) {
                                      return 8;
                                  } else {
                                      return 1;
                                  }
                              }
                          }
                      } else {
                          return 0;
                      }
                  } else {
                      if (features[17] < 1) {
                          return 4;
                      } else {
                          if (features[12] < 24) {
                              return 4;
                          } else {
                              return 6;
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_8(const int16_t *features, int32_t features_length) {
          if (features[36] < 1) {
              if (features[58] < 15) {
                  if (features[41] < 1) {
                      if (features[42] < 13) {
                          if (features[34] < 14) {
                              return 9;
                          } else {
                              return 5;
                          }
                      } else {
                          if (features[10] < 7) {
                              return 6;
                          } else {
                              if (features[55] < 4) {
                                  return 0;
                              } else {
                                  return 2;
                              }
                          }
                      }
                  } else {
                      if (features[18] < 7) {
                          return 4;
                      } else {
                          if (features[27] < 21) {
                              if (features[30] < 21) {
                                  if (features[41] < 15) {
                                      return 0;
                                  } else {
                                      if (features[6] < 3) {
                                          return 0;
                                      } else {
                                          return 9;
                                      }
                                  }
                              } else {
                                  return 4;
                              }
                          } else {
                              if (features[61] < 14) {
                                  if (features[44] < 5) {
                                      return 0;
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  if (features[10] < 20) {
                                      return 6;
                                  } else {
                                      return 9;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[34] < 1) {
                      if (features[26] < 20) {
                          if (features[27] < 7) {
                              return 3;
                          } else {
                              return 9;
                          }
                      } else {
                          if (features[13] < 18) {
                              return 5;
                          } else {
                              return 9;
                          }
                      }
                  } else {
                      if (features[41] < 7) {
                          if (features[5] < 2) {
                              return 2;
                          } else {
                              return 5;
                          }
                      } else {
                          return 0;
                      }
                  }
              }
          } else {
              if (features[53] < 3) {
                  if (features[21] < 11) {
                      if (features[33] < 7) {
                          if (features[5] < 11) {
                              if (features[45] < 7) {
                                  if (features[5] < 8) {
                                      return 1;
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  if (features[35] < 29) {
                                      return 1;
                                  } else {
                                      if (features[22] < 4) {
                                          return 7;
                                      } else {
                                          return 4;
                                      }
                                  }
                              }
                          } else {
                              if (features[27] < 7) {
                                  return 7;
                              } else {
                                  if (features[37] < 25) {
                                      if (features[10] < 22) {
                                          if (features[27] < 28) {
                                              return 3;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      return 7;
                                  }
                              }
                          }
                      } else {
                          if (features[60] < 5) {
                              if (features[50] < 18) {
                                  return 5;
                              } else {
                                  return 7;
                              }
                          } else {
                              if (features[9] < 3) {
                                  if (features[52] < 15) {
                                      return 1;
                                  } else {
                                      if (features[27] < 31) {
                                          return 4;
                                      } else {
                                          if (features[37] < 9) {
                                              return 1;
                                          } else {
                                              return 4;
                                          }
                                      }
                                  }
                              } else {
                                  return 5;
                              }
                          }
                      }
                  } else {
                      if (features[18] < 11) {
                          if (features[2] < 1) {
                              return 1;
                          } else {
                              if (features[60] < 15) {
                                  if (features[29] < 3) {
                                      return 8;
                                  } else {
                                      if (features[58] < 29) {
                                          if (features[42] < 27) {
                                              return 7;
                                          } else {
                                              if (features[19] < 19) {
                                                  return 7;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      } else {
                                          if (features[51] < 24) {
                                              return 7;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  }
                              } else {
                                  return 1;
                              }
                          }
                      } else {
                          if (features[10] < 19) {
                              if (features[13] < 15) {
                                  if (features[42] < 2) {
                                      return 1;
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[4] < 31) {
                                      if (features[34] < 26) {
                                          if (features[20] < 13) {
                                              return 7;
                                          } else {
                                              if (features[21] < 28) {
                                                  return 1;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[12] < 25) {
                                              return 4;
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      return 7;
                                  }
                              }
                          } else {
                              if (features[38] < 7) {
                                  if (features[7] < 1) {
                                      if (features[25] < 5) {
                                          if (features[37] < 2) {
                                              if (features[52] < 14) {
                                                  if (features[2] < 11) {
                                                      return 4;
                                                  } else {
                                                      return 9;
                                                  }
                                              } else {
                                                  if (features[51] < 27) {
                                                      return 8;
                                                  } else {
                                                      if (features[5] < 15) {
                                                          return 8;
                                                      } else {
                                                          return 1;
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[26] < 4) {
                                                  return 7;
                                              } else {
                                                  if (features[58] < 13) {
                                                      return 9;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[19] < 27) {
                                              if (features[25] < 11) {
                                                  if (features[20] < 3) {
                                                      if (features[52] < 26) {
                                                          return 9;
                                                      } else {
                                                          return 7;
                                                      }
                                                  } else {
                                                      if (features[19] < 18) {
                                                          return 9;
                                                      } else {
                                                          if (features[45] < 7) {
                                                              return 8;
                                                          } else {
                                                              return 9;
                                                          }
                                                      }
                                                  }
                                              } else {
                                                  if (features[4] < 28) {
                                                      if (features[26] < 19) {
                                                          return 3;
                                                      } else {
                                                          return 4;
                                                      }
                                                  } else {
                                                      return 9;
                                                  }
                                              }
                                          } else {
                                              return 1;
                                          }
                                      }
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  if (features[4] < 14) {
                                      if (features[11] < 16) {
                                          return 9;
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      return 7;
                                  }
                              }
                          }
                      }
                  }
              } else {
                  if (features[45] < 3) {
                      if (features[26] < 21) {
                          if (features[19] < 30) {
                              if (features[61] < 17) {
                                  if (features[44] < 22) {
                                      if (features[51] < 26) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[50] < 19) {
                                          if (features[60] < 27) {
                                              return 3;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[50] < 10) {
                                      if (features[46] < 16) {
                                          return 2;
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      return 2;
                                  }
                              }
                          } else {
                              if (features[44] < 5) {
                                  return 2;
                              } else {
                                  if (features[26] < 4) {
                                      return 8;
                                  } else {
                                      if (features[53] < 24) {
                                          return 1;
                                      } else {
                                          return 6;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[21] < 12) {
                              if (features[20] < 1) {
                                  if (features[44] < 21) {
                                      return 6;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  if (features[11] < 29) {
                                      return 2;
                                  } else {
                                      return 1;
                                  }
                              }
                          } else {
                              return 8;
                          }
                      }
                  } else {
                      if (features[13] < 9) {
                          if (features[51] < 13) {
                              if (features[9] < 1) {
                                  if (features[13] < 5) {
                                      if (features[2] < 4) {
                                          if (features[36] < 12) {
                                              return 9;
                                          } else {
                                              return 4;
                                          }
                                      } else {
                                          if (features[29] < 9) {
                                              if (features[2] < 11) {
                                                  return 6;
                                              } else {
                                                  if (features[27] < 23) {
                                                      return 5;
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          } else {
                                              if (features[34] < 8) {
                                                  return 8;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[14] < 15) {
                                          if (features[26] < 14) {
                                              return 3;
                                          } else {
                                              if (features[2] < 5) {
                                                  return 4;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      } else {
                                          return 9;
                                      }
                                  }
                              } else {
                                  if (features[25] < 2) {
                                      if (features[21] < 10) {
                                          return 3;
                                      } else {
                                          if (features[50] < 10) {
                                              return 9;
                                          } else {
                                              return 8;
                                          }
                                      }
                                  } else {
                                      if (features[41] < 1) {
                                          return 5;
                                      } else {
                                          if (features[46] < 10) {
                                              return 5;
                                          } else {
                                              return 6;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[20] < 5) {
                                  if (features[61] < 9) {
                                      if (features[28] < 13) {
                                          if (features[53] < 21) {
                                              return 4;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          return 5;
                                      }
                                  } else {
                                      return 6;
                                  }
                              } else {
                                  if (features[43] < 7) {
                                      if (features[62] < 13) {
                                          if (features[50] < 17) {
                                              return 5;
                                          } else {
                                              if (features[19] < 26) {
                                                  return 3;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          if (features[55] < 2) {
                                              return 9;
                                          } else {
                                              if (features[21] < 10) {
                                                  return 1;
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[58] < 11) {
                                          if (features[59] < 8) {
                                              if (features[60] < 23) {
                                                  return 6;
                                              } else {
                                                  return 4;
                                              }
                                          } else {
                                              if (features[63] < 3) {
                                                  if (features[42] < 12) {
                                                      if (features[11] < 29) {
                                                          return 1;
                                                      } else {
                                                          return 8;
                                                      }
                                                  } else {
                                                      if (features[10] < 20) {
                                                          return 6;
                                                      } else {
                                                          if (features[28] < 27) {
                                                              return 1;
                                                          } else {
                                                              return 8;
                                                          }
                                                      }
                                                  }
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      } else {
                                          if (features[28] < 19) {
                                              return 1;
                                          } else {
                                              if (features[18] < 30) {
                                                  return 2;
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[10] < 17) {
                              if (features[59] < 25) {
                                  if (features[61] < 9) {
                                      if (features[26] < 22) {
                                          return 7;
                                      } else {
                                          if (features[42] < 14) {
                                              return 9;
                                          } else {
                                              return 4;
                                          }
                                      }
                                  } else {
                                      if (features[26] < 12) {
                                          if (features[18] < 2) {
                                              if (features[12] < 18) {
                                                  return 8;
                                              } else {
                                                  return 1;
                                              }
                                          } else {
                                              if (features[42] < 13) {
                                                  return 1;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      } else {
                                          if (features[23] < 3) {
                                              if (features[20] < 28) {
                                                  if (features[61] < 27) {
                                                      if (features[5] < 22) {
                                                          if (features[13] < 21) {
                                                              return 4;
                                                          } else {
                                                              return 0;
                                                          }
                                                      } else {
                                                          return 9;
                                                      }
                                                  } else {
                                                      return 1;
                                                  }
                                              } else {
                                                  if (features[13] < 11) {
                                                      return 4;
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          } else {
                                              return 9;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[63] < 3) {
                                      if (features[19] < 17) {
                                          if (features[18] < 15) {
                                              return 3;
                                          } else {
                                              return 5;
                                          }
                                      } else {
                                          if (features[34] < 17) {
                                              if (features[45] < 13) {
                                                  return 1;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[62] < 10) {
                                                  return 0;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      }
                                  } else {
                                      return 2;
                                  }
                              }
                          } else {
                              if (features[2] < 11) {
                                  if (features[38] < 7) {
                                      if (features[6] < 12) {
                                          if (features[43] < 3) {
                                              if (features[45] < 23) {
                                                  if (features[9] < 3) {
                                                      return 9;
                                                  } else {
                                                      if (features[41] < 1) {
                                                          if (features[53] < 22) {
                                                              return 3;
                                                          } else {
                                                              if (features[9] < 9) {
                                                                  return 9;
                                                              } else {
                                                                  return 5;
                                                              }
                                                          }
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              } else {
                                                  if (features[37] < 30) {
                                                      return 3;
                                                  } else {
                                                      if (features[17] < 6) {
                                                          return 3;
                                                      } else {
                                                          return 9;
                                                      }
                                                  }
                                              }
                                          } else {
                                              if (features[51] < 31) {
                                                  if (features[25] < 17) {
                                                      if (features[41] < 1) {
                                                          if (features[43] < 5) {
                                                              return 3;
                                                          } else {
                                                              if (features[18] < 5) {
                                                                  return 3;
                                                              } else {
                                                                  return 8;
                                                              }
                                                          }
                                                      } else {
                                                          if (features[28] < 19) {
                                                              return 6;
                                                          } else {
                                                              return 8;
                                                          }
                                                      }
                                                  } else {
                                                      return 6;
                                                  }
                                              } else {
                                                  if (features[36] < 28) {
                                                      if (features[21] < 7) {
                                                          return 1;
                                                      } else {
                                                          return 2;
                                                      }
                                                  } else {
                                                      if (features[35] < 31) {
                                                          if (features[43] < 25) {
                                                              return 2;
                                                          } else {
                                                              return 8;
                                                          }
                                                      } else {
                                                          return 1;
                                                      }
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[30] < 9) {
                                              return 5;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  } else {
                                      if (features[21] < 25) {
                                          if (features[27] < 21) {
                                              if (features[50] < 1) {
                                                  if (features[22] < 8) {
                                                      return 5;
                                                  } else {
                                                      return 7;
                                                  }
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              if (features[54] < 7) {
                                                  return 5;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      } else {
                                          if (features[54] < 2) {
                                              return 0;
                                          } else {
                                              return 9;
                                          }
                                      }
                                  }
                              } else {
                                  if (features[38] < 7) {
                                      if (features[54] < 1) {
                                          if (features[20] < 13) {
                                              if (features[11] < 16) {
                                                  if (features[20] < 3) {
                                                      return 9;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  if (features[17] < 3) {
                                                      if (features[21] < 14) {
                                                          return 5;
                                                      } else {
                                                          if (features[53] < 19) {
                                                              return 3;
                                                          } else {
                                                              return 8;
                                                          }
                                                      }
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          } else {
                                              if (features[34] < 6) {
                                                  if (features[60] < 25) {
                                                      if (features[53] < 19) {
                                                          return 8;
                                                      } else {
                                                          return 5;
                                                      }
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  if (features[28] < 19) {
                                                      return 3;
                                                  } else {
                                                      if (features[50] < 17) {
                                                          if (features[20] < 23) {
                                                              return 7;
                                                          } else {
                                                              return 1;
                                                          }
                                                      } else {
                                                          return 8;
                                                      }
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[20] < 19) {
                                              if (features[35] < 23) {
                                                  if (features[51] < 16) {
                                                      if (features[21] < 24) {
                                                          if (features[3] < 25) {
                                                              return 5;
                                                          } else {
                                                              return 9;
                                                          }
                                                      } else {
                                                          return 3;
                                                      }
                                                  } else {
                                                      return 2;
                                                  }
                                              } else {
                                                  if (features[2] < 23) {
                                                      return 8;
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          } else {
                                              if (features[63] < 5) {
                                                  if (features[52] < 29) {
                                                      if (features[25] < 3) {
                                                          if (features[30] < 3) {
                                                              if (features[58] < 7) {
                                                                  return 8;
                                                              } else {
                                                                  if (features[34] < 1) {
                                                                      return 3;
                                                                  } else {
                                                                      if (features[9] < 8) {
                                                                          return 3;
                                                                      } else {
                                                                          if (features[58] < 21) {
                                                                              return 2;
                                                                          } else {
                                                                              return 3;
                                                                          }
                                                                      }
                                                                  }
                                                              }
                                                          } else {
                                                              return 9;
                                                          }
                                                      } else {
                                                          return 9;
                                                      }
                                                  } else {
                                                      if (features[37] < 9) {
                                                          return 2;
                                                      } else {
                                                          return 3;
                                                      }
                                                  }
                                              } else {
                                                  return 2;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[5] < 16) {
                                          if (features[20] < 29) {
                                              return 9;
                                          } else {
                                              if (features[51] < 6) {
                                                  return 9;
                                              } else {
                                                  if (features[22] < 1) {
                                                      return 3;
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[3] < 29) {
                                              if (features[13] < 24) {
                                                  return 5;
                                              } else {
                                                  if (features[59] < 27) {
                                                      return 9;
                                                  } else {
                                                      return 3;
                                                  }
                                              }
                                          } else {
                                              if (features[18] < 25) {
                                                  return 3;
                                              } else {
                                                  return 5;
                                              }
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

static inline int32_t mytree_tree_9(const int16_t *features, int32_t features_length) {
          if (features[30] < 3) {
              if (features[20] < 7) {
                  if (features[42] < 19) {
                      if (features[42] < 3) {
                          if (features[26] < 31) {
                              if (features[5] < 9) {
                                  if (features[61] < 30) {
                                      if (features[27] < 26) {
                                          return 9;
                                      } else {
                                          if (features[37] < 22) {
                                              return 9;
                                          } else {
                                              return 5;
                                          }
                                      }
                                  } else {
                                      if (features[44] < 13) {
                                          return 9;
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[29] < 20) {
                                      if (features[53] < 27) {
                                          return 5;
                                      } else {
                                          if (features[22] < 5) {
                                              return 5;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  } else {
                                      if (features[37] < 17) {
                                          if (features[17] < 5) {
                                              return 3;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          if (features[27] < 17) {
                                              if (features[61] < 8) {
                                                  if (features[9] < 5) {
                                                      return 7;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[58] < 3) {
                                  if (features[10] < 28) {
                                      return 8;
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  return 5;
                              }
                          }
                      } else {
                          if (features[21] < 8) {
                              if (features[34] < 4) {
                                  return 2;
                              } else {
                                  if (features[53] < 29) {
                                      return 5;
                                  } else {
                                      if (features[54] < 7) {
                                          return 5;
                                      } else {
                                          return 6;
                                      }
                                  }
                              }
                          } else {
                              if (features[43] < 29) {
                                  if (features[17] < 2) {
                                      if (features[53] < 12) {
                                          return 7;
                                      } else {
                                          if (features[61] < 20) {
                                              return 2;
                                          } else {
                                              return 3;
                                          }
                                      }
                                  } else {
                                      return 8;
                                  }
                              } else {
                                  return 7;
                              }
                          }
                      }
                  } else {
                      if (features[54] < 1) {
                          if (features[21] < 19) {
                              if (features[46] < 1) {
                                  if (features[6] < 4) {
                                      return 6;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 4;
                              }
                          } else {
                              if (features[28] < 10) {
                                  return 0;
                              } else {
                                  if (features[61] < 1) {
                                      return 7;
                                  } else {
                                      if (features[3] < 19) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[28] < 26) {
                              if (features[61] < 15) {
                                  if (features[49] < 2) {
                                      return 8;
                                  } else {
                                      return 6;
                                  }
                              } else {
                                  return 6;
                              }
                          } else {
                              if (features[33] < 1) {
                                  if (features[34] < 26) {
                                      return 8;
                                  } else {
                                      return 6;
                                  }
                              } else {
                                  return 6;
                              }
                          }
                      }
                  }
              } else {
                  if (features[45] < 13) {
                      if (features[19] < 25) {
                          if (features[21] < 21) {
                              if (features[54] < 1) {
                                  if (features[26] < 6) {
                                      if (features[28] < 23) {
                                          return 2;
                                      } else {
                                          if (features[43] < 15) {
                                              return 8;
                                          } else {
                                              if (features[27] < 26) {
                                                  if (features[45] < 7) {
                                                      if (features[42] < 4) {
                                                          return 1;
                                                      } else {
                                                          return 7;
                                                      }
                                                  } else {
                                                      return 7;
                                                  }
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[20] < 31) {
                                          return 8;
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[13] < 27) {
                                      if (features[46] < 18) {
                                          return 2;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 3;
                                  }
                              }
                          } else {
                              if (features[60] < 15) {
                                  if (features[4] < 13) {
                                      return 4;
                                  } else {
                                      if (features[26] < 4) {
                                          if (features[21] < 25) {
                                              return 3;
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          if (features[25] < 2) {
                                              if (features[20] < 25) {
                                                  return 8;
                                              } else {
                                                  return 3;
                                              }
                                          } else {
                                              if (features[27] < 20) {
                                                  return 7;
                                              } else {
                                                  return 9;
                                              }
                                          }
                                      }
                                  }
                              } else {
                                  if (features[27] < 9) {
                                      if (features[34] < 20) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[34] < 14) {
                                          if (features[10] < 23) {
                                              return 3;
                                          } else {
                                              if (features[35] < 24) {
                                                  return 9;
                                              } else {
                                                  if (features[19] < 10) {
                                                      return 2;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[54] < 26) {
                              if (features[50] < 23) {
                                  if (features[37] < 15) {
                                      if (features[36] < 14) {
                                          if (features[27] < 29) {
                                              return 8;
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[29] < 21) {
                                              if (features[46] < 3) {
                                                  if (features[52] < 17) {
                                                      if (features[5] < 13) {
                                                          return 1;
                                                      } else {
                                                          if (features[2] < 12) {
                                                              return 1;
                                                          } else {
                                                              return 9;
                                                          }
                                                      }
                                                  } else {
                                                      return 1;
                                                  }
                                              } else {
                                                  return 2;
                                              }
                                          } else {
                                              if (features[2] < 4) {
                                                  return 1;
                                              } else {
                                                  return 8;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[20] < 24) {
                                          return 4;
                                      } else {
                                          return 1;
                                      }
                                  }
                              } else {
                                  if (features[43] < 31) {
                                      if (features[21] < 8) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[9] < 4) {
                                          if (features[44] < 13) {
                                              if (features[20] < 23) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          if (features[22] < 5) {
                                              return 8;
                                          } else {
                                              return 7;
                                          }
                                      }
                                  }
                              }
                          } else {
                              if (features[37] < 8) {
                                  if (features[27] < 29) {
                                      return 2;
                                  } else {
                                      return 1;
                                  }
                              } else {
                                  return 6;
                              }
                          }
                      }
                  } else {
                      if (features[43] < 9) {
                          if (features[9] < 1) {
                              if (features[4] < 25) {
                                  if (features[44] < 7) {
                                      if (features[58] < 15) {
                                          if (features[41] < 1) {
                                              return 9;
                                          } else {
                                              if (features[26] < 3) {
                                                  return 3;
                                              } else {
                                                  if (features[5] < 11) {
                                                      return 0;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      } else {
                                          if (features[6] < 4) {
                                              return 3;
                                          } else {
                                              return 5;
                                          }
                                      }
                                  } else {
                                      if (features[42] < 22) {
                                          if (features[21] < 21) {
                                              if (features[55] < 2) {
                                                  return 5;
                                              } else {
                                                  if (features[35] < 2) {
                                                      return 2;
                                                  } else {
                                                      return 1;
                                                  }
                                              }
                                          } else {
                                              if (features[1] < 3) {
                                                  return 1;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[34] < 15) {
                                      if (features[62] < 23) {
                                          if (features[44] < 23) {
                                              if (features[5] < 21) {
                                                  if (features[42] < 11) {
                                                      return 3;
                                                  } else {
                                                      if (features[33] < 2) {
                                                          return 9;
                                                      } else {
                                                          return 3;
                                                      }
                                                  }
                                              } else {
                                                  if (features[2] < 7) {
                                                      return 9;
                                                  } else {
                                                      return 5;
                                                  }
                                              }
                                          } else {
                                              return 1;
                                          }
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[45] < 25) {
                                          return 8;
                                      } else {
                                          return 5;
                                      }
                                  }
                              }
                          } else {
                              if (features[26] < 11) {
                                  if (features[44] < 31) {
                                      if (features[2] < 29) {
                                          return 3;
                                      } else {
                                          return 8;
                                      }
                                  } else {
                                      if (features[53] < 19) {
                                          return 2;
                                      } else {
                                          return 3;
                                      }
                                  }
                              } else {
                                  if (features[35] < 4) {
                                      if (features[61] < 20) {
                                          return 5;
                                      } else {
                                          if (features[54] < 24) {
                                              return 9;
                                          } else {
                                              if (features[62] < 21) {
                                                  return 5;
                                              } else {
                                                  return 3;
                                              }
                                          }
                                      }
                                  } else {
                                      if (features[29] < 22) {
                                          if (features[41] < 1) {
                                              if (features[13] < 27) {
                                                  if (features[11] < 9) {
                                                      return 8;
                                                  } else {
                                                      return 3;
                                                  }
                                              } else {
                                                  return 5;
                                              }
                                          } else {
                                              return 8;
                                          }
                                      } else {
                                          return 9;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[61] < 5) {
                              if (features[44] < 31) {
                                  if (features[33] < 10) {
                                      if (features[9] < 7) {
                                          if (features[45] < 15) {
                                              if (features[28] < 31) {
                                                  return 7;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              return 7;
                                          }
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[43] < 23) {
                                      if (features[42] < 1) {
                                          return 5;
                                      } else {
                                          return 3;
                                      }
                                  } else {
                                      if (features[59] < 30) {
                                          if (features[19] < 8) {
                                              return 2;
                                          } else {
                                              if (features[42] < 10) {
                                                  return 1;
                                              } else {
                                                  return 4;
                                              }
                                          }
                                      } else {
                                          return 7;
                                      }
                                  }
                              }
                          } else {
                              if (features[20] < 29) {
                                  if (features[13] < 13) {
                                      if (features[33] < 9) {
                                          if (features[2] < 2) {
                                              return 6;
                                          } else {
                                              if (features[18] < 12) {
                                                  return 1;
                                              } else {
                                                  if (features[34] < 7) {
                                                      return 2;
                                                  } else {
                                                      return 8;
                                                  }
                                              }
                                          }
                                      } else {
                                          return 4;
                                      }
                                  } else {
                                      if (features[35] < 11) {
                                          return 2;
                                      } else {
                                          return 8;
                                      }
                                  }
                              } else {
                                  if (features[4] < 21) {
                                      if (features[10] < 26) {
                                          return 8;
                                      } else {
                                          return 2;
                                      }
                                  } else {
                                      if (features[20] < 31) {
                                          return 3;
                                      } else {
                                          if (features[28] < 31) {
                                              if (features[19] < 11) {
                                                  return 2;
                                              } else {
                                                  return 8;
                                              }
                                          } else {
                                              if (features[21] < 12) {
                                                  if (features[37] < 25) {
                                                      return 1;
                                                  } else {
                                                      return 4;
                                                  }
                                              } else {
                                                  return 1;
                                              }
                                          }
                                      }
                                  }
                              }
                          }
                      }
                  }
              }
          } else {
              if (features[44] < 13) {
                  if (features[37] < 27) {
                      if (features[42] < 15) {
                          if (features[53] < 2) {
                              return 7;
                          } else {
                              if (features[5] < 23) {
                                  if (features[28] < 3) {
                                      return 0;
                                  } else {
                                      return 9;
                                  }
                              } else {
                                  if (features[11] < 19) {
                                      if (features[21] < 24) {
                                          return 5;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 9;
                                  }
                              }
                          }
                      } else {
                          if (features[52] < 3) {
                              if (features[45] < 5) {
                                  return 7;
                              } else {
                                  if (features[30] < 13) {
                                      return 8;
                                  } else {
                                      return 0;
                                  }
                              }
                          } else {
                              if (features[36] < 1) {
                                  if (features[52] < 11) {
                                      if (features[43] < 9) {
                                          return 0;
                                      } else {
                                          return 6;
                                      }
                                  } else {
                                      return 0;
                                  }
                              } else {
                                  if (features[54] < 17) {
                                      if (features[20] < 18) {
                                          return 8;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 6;
                                  }
                              }
                          }
                      }
                  } else {
                      if (features[33] < 6) {
                          if (features[19] < 29) {
                              if (features[60] < 21) {
                                  if (features[53] < 26) {
                                      return 9;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 9;
                              }
                          } else {
                              if (features[5] < 26) {
                                  if (features[30] < 5) {
                                      return 6;
                                  } else {
                                      return 9;
                                  }
                              } else {
                                  return 1;
                              }
                          }
                      } else {
                          if (features[22] < 23) {
                              if (features[60] < 31) {
                                  if (features[35] < 13) {
                                      return 0;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 3;
                              }
                          } else {
                              return 4;
                          }
                      }
                  }
              } else {
                  if (features[2] < 1) {
                      if (features[17] < 5) {
                          if (features[14] < 12) {
                              if (features[13] < 29) {
                                  return 4;
                              } else {
                                  return 2;
                              }
                          } else {
                              if (features[19] < 15) {
                                  if (features[19] < 3) {
                                      if (features[18] < 17) {
                                          return 7;
                                      } else {
                                          return 9;
                                      }
                                  } else {
                                      return 7;
                                  }
                              } else {
                                  if (features[5] < 16) {
                                      return 4;
                                  } else {
                                      if (features[46] < 1) {
                                          if (features[14] < 26) {
                                              return 2;
                                          } else {
                                              return 9;
                                          }
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[45] < 27) {
                              if (features[3] < 21) {
                                  return 9;
                              } else {
                                  return 4;
                              }
                          } else {
                              return 1;
                          }
                      }
                  } else {
                      if (features[45] < 15) {
                          if (features[52] < 16) {
                              if (features[53] < 11) {
                                  return 7;
                              } else {
                                  return 9;
                              }
                          } else {
                              if (features[13] < 8) {
                                  if (features[25] < 5) {
                                      return 8;
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[50] < 18) {
                                      return 7;
                                  } else {
                                      if (features[28] < 25) {
                                          return 8;
                                      } else {
                                          return 1;
                                      }
                                  }
                              }
                          }
                      } else {
                          if (features[44] < 19) {
                              if (features[50] < 20) {
                                  if (features[5] < 17) {
                                      return 9;
                                  } else {
                                      return 5;
                                  }
                              } else {
                                  return 0;
                              }
                          } else {
                              if (features[21] < 19) {
                                  if (features[38] < 3) {
                                      return 8;
                                  } else {
                                      return 4;
                                  }
                              } else {
                                  if (features[60] < 29) {
                                      if (features[50] < 2) {
                                          return 7;
                                      } else {
                                          if (features[62] < 13) {
                                              return 0;
                                          } else {
                                              return 2;
                                          }
                                      }
                                  } else {
                                      return 8;
                                  }
                              }
                          }
                      }
                  }
              }
          }
        }
        

int32_t mytree_predict(const int16_t *features, int32_t features_length) {

        int32_t votes[10] = {0,};
        int32_t _class = -1;

        _class = mytree_tree_0(features, features_length); votes[_class] += 1;
    _class = mytree_tree_1(features, features_length); votes[_class] += 1;
    _class = mytree_tree_2(features, features_length); votes[_class] += 1;
    _class = mytree_tree_3(features, features_length); votes[_class] += 1;
    _class = mytree_tree_4(features, features_length); votes[_class] += 1;
    _class = mytree_tree_5(features, features_length); votes[_class] += 1;
    _class = mytree_tree_6(features, features_length); votes[_class] += 1;
    _class = mytree_tree_7(features, features_length); votes[_class] += 1;
    _class = mytree_tree_8(features, features_length); votes[_class] += 1;
    _class = mytree_tree_9(features, features_length); votes[_class] += 1;
    
        int32_t most_voted_class = -1;
        int32_t most_voted_votes = 0;
        for (int32_t i=0; i<10; i++) {

            if (votes[i] > most_voted_votes) {
                most_voted_class = i;
                most_voted_votes = votes[i];
            }
        }
        return most_voted_class;
    }
    

int mytree_predict_proba(const int16_t *features, int32_t features_length, float *out, int out_length) {

        int32_t _class = -1;

        for (int i=0; i<out_length; i++) {
            out[i] = 0.0f;
        }

        _class = mytree_tree_0(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_1(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_2(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_3(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_4(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_5(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_6(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_7(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_8(features, features_length); out[_class] += 1.0f;
    _class = mytree_tree_9(features, features_length); out[_class] += 1.0f;
    
        // compute mean
        for (int i=0; i<out_length; i++) {
            out[i] = out[i] / 10;
        }
        return 0;
    }
    

            int32_t
            predict_wrapper(const float *values, int length) {
                // Convert to whatever is needed for inline
                int16_t features[64];
                for (int i=0; i<length; i++) {
                    features[i] = (int16_t)values[i];
                }
                const int32_t out = mytree_predict(features, length);
                if (out < 0) {
                    return -out;
                }
                return out;
            }

            int
            predict_proba_wrapper(const float *values, int length, float *outputs, int n_outputs) {
                // Convert to whatever is needed for inline
                int16_t features[64];
                for (int i=0; i<length; i++) {
                    features[i] = (int16_t)values[i];
                }

                const int err =                     mytree_predict_proba(features, length, outputs, n_outputs);

                return err;
            }
            