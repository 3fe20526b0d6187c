// The package for any JVM, Android's too: what makes the generated code pleasant. No Android in here.
plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    explicitApi()
    jvmToolchain(17)
    // Tests need a built library and an office: ./test compiles and runs them.
    sourceSets.test { kotlin.setSrcDirs(emptyList<String>()) }
}

dependencies {
    api(project(":outrider-generated"))
    api(libs.coroutines)
}
